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
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
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


@dataclass
class _Tuner:
    """Thresholds of one method.

    Parameters
    ----------
    initial : mapping of tensor name to float
    """

    initial: Mapping[str, float]
    abs_max: Mapping[str, float]
    current: dict[str, float] = field(init=False)
    tuned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.current = dict(self.initial)

    def due(self, node: Node) -> list[str]:
        """Tensors that are tuned with this op."""
        producers = list(dict.fromkeys(v.name for v in node.activations))
        if not producers or any(p not in self.initial for p in producers):
            return []
        names = [p for p in producers if p not in self.tuned] or producers[:1]
        self.tuned.update(names)
        return names

    def candidates(self, name: str) -> list[float]:
        """Thresholds to try; none if the tensor keeps its own."""
        start, top = self.initial[name], self.abs_max[name]
        step = (top - start) / TUNE_STEPS
        if step <= 0 or top - start <= _MIN_GAIN:
            return []
        return [start + step * i for i in range(TUNE_STEPS + 1)]

    def settle(self, name: str, best: float) -> None:
        """Take the nearest candidate, if it is larger."""
        self.current[name] = max(self.current[name], best)


def _visit(
    tuners: Collection[_Tuner], pool: ThreadPoolExecutor, node: Node, again: Callable[[], Rerun]
) -> None:
    """Tune with one op: the candidates of all methods side by side."""
    due = [(t, n, t.candidates(n)) for t in tuners for n in t.due(node)]
    tried = dict.fromkeys(c for _, _, candidates in due for c in candidates)
    if not tried:
        return
    rerun = again()

    def distance(candidate: float) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.nan_to_num(rerun.errors(candidate) / rerun.norms).mean())

    distances = dict(zip(tried, pool.map(distance, tried)))
    for tuner, name, candidates in due:
        if candidates:
            tuner.settle(name, min(candidates, key=distances.__getitem__))


def tune(
    thresholds: Mapping[str, Mapping[str, float]],
    abs_max: Mapping[str, float],
    walk: Callable[[Visit], object],
) -> dict[str, dict[str, float]]:
    """Tuned thresholds of every method.

    Parameters
    ----------
    thresholds : mapping of method to mapping of tensor name to float
        Before tuning.
    abs_max : mapping of tensor name to float
        The largest |x| of each.
    walk : callable
        Runs the float network once on all tuning samples, and after each op calls its argument with
        the op and a function that makes its Rerun.
    """
    tuners = {method: _Tuner(initial, abs_max) for method, initial in thresholds.items()}
    if not tuners:
        return {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # candidates are tried side by side
        walk(partial(_visit, tuners.values(), pool))
    return {method: tuner.current for method, tuner in tuners.items()}
