"""Auto-tune: raises a threshold while the op that reads the tensor gets closer to its float output.

For an op E and a producer p of its inputs that is not tuned yet: candidates from p's threshold to
its largest |x| in 21 steps. Distance = mean over samples of |ref - y|_2 / |ref|_1, y = E, with
float weights, on reference inputs rounded to 127 steps of the candidate. The first smallest
distance wins; a threshold is only ever raised. If all producers of E are tuned, the first one is
tuned again with E. This is TPU-MLIR's `--tune_num` as its programs do it: they mean to round the
weights too, but the distances they print are those of float weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from tpuc.ir import Node

__all__ = ["TUNE_STEPS", "Rerun", "Visit", "tune"]

TUNE_STEPS = 21
_MIN_GAIN = 0.01


class Rerun(Protocol):
    """An op that can be run again on rounded operands: `simulator.Rerun`."""

    norms: np.ndarray

    def errors(self, threshold: float) -> np.ndarray:
        """|ref - y|_2 of each sample."""


Visit = Callable[[Node, Callable[[], Rerun]], None]


class _Tuner:
    def __init__(
        self,
        thresholds: Mapping[str, float],
        abs_max: Mapping[str, float],
        pool: ThreadPoolExecutor,
    ) -> None:
        self.initial = dict(thresholds)
        self.current = dict(thresholds)
        self.abs_max = abs_max
        self.pool = pool
        self.tuned: set[str] = set()

    def visit(self, node: Node, again: Callable[[], Rerun]) -> None:
        producers = list(dict.fromkeys(v.name for v in node.activations))
        if not producers or any(p not in self.initial for p in producers):
            return
        fresh = [p for p in producers if p not in self.tuned]
        for name in fresh or producers[:1]:
            self._tune(name, again)
            self.tuned.add(name)

    def _tune(self, name: str, again: Callable[[], Rerun]) -> None:
        start, top = self.initial[name], self.abs_max[name]
        step = (top - start) / TUNE_STEPS
        if step <= 0 or top - start <= _MIN_GAIN:
            return
        rerun = again()

        def distance(candidate: float) -> float:
            with np.errstate(divide="ignore", invalid="ignore"):
                return float(np.nan_to_num(rerun.errors(candidate) / rerun.norms).mean())

        candidates = [start + step * i for i in range(TUNE_STEPS + 1)]
        distances = list(self.pool.map(distance, candidates))
        best = candidates[int(np.argmin(distances))]
        self.current[name] = max(self.current[name], best)


def tune(
    thresholds: Mapping[str, float],
    abs_max: Mapping[str, float],
    walk: Callable[[Visit], object],
) -> dict[str, float]:
    """Tuned thresholds.

    Parameters
    ----------
    thresholds, abs_max : mapping of tensor name to float
        Before tuning, and the largest |x| of each.
    walk : callable
        Runs the float network once on all tuning samples, and after each op calls its argument with
        the op and a function that makes its Rerun.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # candidates are tried side by side
        tuner = _Tuner(thresholds, abs_max, pool)
        walk(tuner.visit)
    return tuner.current
