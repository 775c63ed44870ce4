"""Times the stages of a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tpuc.reports import Timing

__all__ = ["Clock"]

log = logging.getLogger("tpuc")
T = TypeVar("T")


class Clock:
    """Times stages and says what they did."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []

    def stage(
        self, name: str, work: Callable[[], T], cached: Callable[[T], bool] | None = None
    ) -> T:
        """Do a stage's work; `cached` tells of the result whether it came from the cache."""
        start = time.perf_counter()
        result = work()
        known = bool(cached and cached(result))
        seconds = round(time.perf_counter() - start, 3)
        self.timings.append(Timing(name, seconds, known))
        log.info("%-10s %6.2f s%s", name, seconds, "  (cached)" if known else "")
        return result
