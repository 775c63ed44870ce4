"""Progress of long stages: a bar on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

__all__ = ["progress", "steps"]

T = TypeVar("T")

_PATIENCE = 0.5
"""Seconds without a bar: what is done by then needs none."""

_shown = threading.Lock()
"""Held by whoever draws: a terminal has room for one bar, that of the outermost loop."""


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass items on, showing how many of `total` went by."""
    if not sys.stderr.isatty() or not _shown.acquire(blocking=False):
        yield from items
        return
    try:
        with closing(_Bar(what, total)) as bar:
            for count, item in enumerate(items):
                bar.update(count)
                yield item
    finally:
        _shown.release()


def steps(items: Sequence[T], what: str) -> Iterator[T]:
    """The same for a list."""
    return progress(items, len(items), what)


class _Bar:
    """A bar that appears when it is worth it and leaves nothing behind."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._start = time.perf_counter()
        self._drawn: Any = None
        self._task: Any = None

    def update(self, count: int) -> None:
        """Say that `count` items are done."""
        if self._drawn is None and time.perf_counter() - self._start > _PATIENCE:
            from rich.console import Console
            from rich.progress import Progress

            self._drawn = Progress(console=Console(stderr=True), transient=True)
            self._drawn.start()
            self._task = self._drawn.add_task(self._what, total=self._total)
        if self._drawn is not None:
            self._drawn.update(self._task, completed=count)

    def close(self) -> None:
        """Wipe the bar."""
        if self._drawn is not None:
            self._drawn.stop()
