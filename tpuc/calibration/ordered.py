"""Runs batches in several threads while each tensor still sees them in order.

Every thread runs whole batches on its own, so no result depends on how many there are. What is
remembered of a tensor depends on the order of samples, so a thread waits at a tensor until the
batch before has passed it. All walk the graph in the same order, like trains on one line.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["Gate", "run_ordered"]

T = TypeVar("T")


class Gate:
    """Lets batch i pass a name only after batch i - 1."""

    def __init__(self) -> None:
        self._next: dict[str, int] = defaultdict(int)
        self._change = threading.Condition()
        self._broken = False

    def enter(self, name: str, index: int) -> bool:
        """Wait for the turn; False if another batch failed."""
        with self._change:
            self._change.wait_for(lambda: self._broken or self._next[name] == index)
            return not self._broken

    def leave(self, name: str) -> None:
        """Let the next batch pass."""
        with self._change:
            self._next[name] += 1
            self._change.notify_all()

    def abort(self) -> None:
        """Let everybody go, after a failure."""
        with self._change:
            self._broken = True
            self._change.notify_all()


def run_ordered(
    items: Iterable[T], work: Callable[[int, T], None], gate: Gate, threads: int
) -> int:
    """Call work(index, item) for every item, `threads` at a time; return how many there were.

    The first failure stops everything and is raised.
    """
    running: set[Future[None]] = set()
    count = 0

    def guarded(index: int, item: T) -> None:
        try:
            work(index, item)
        except BaseException:
            gate.abort()
            raise

    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                while len(running) >= threads:
                    running = _settle(running)
                running.add(pool.submit(guarded, count, item))
                count += 1
            while running:
                running = _settle(running)
        except BaseException:
            gate.abort()
            raise
    return count


def _settle(running: set[Future[None]]) -> set[Future[None]]:
    done, rest = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return set(rest)
