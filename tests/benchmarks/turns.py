"""Two programs timed in turn, so that both meet the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["in_turn"]

_TOGETHER = 10
"""Runs of one program before the other has its turn. Threads of both wait for work for some
milliseconds after a run: runs that change places each time would measure how the two take the
processors from one another."""


def in_turn(rounds: int, *calls: Callable[[], object]) -> list[list[float]]:
    """Seconds of every run of each call; the first of each turn does not count."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for seconds, call in zip(found, calls):
            call()
            for _ in range(_TOGETHER):
                start = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - start)
    return found
