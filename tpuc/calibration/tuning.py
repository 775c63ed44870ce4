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

import numpy as np

from tpuc.ir import Graph, Node
from tpuc.kernels import _calib  # type: ignore[attr-defined]

__all__ = ["RunNode", "TUNE_STEPS", "fake_quantized", "tune"]

TUNE_STEPS = 21
_MIN_GAIN = 0.01

RunNode = Callable[[Node, Mapping[int, np.ndarray]], np.ndarray]
"""Runs one op: (node, operand arrays by id of their Value) -> first output."""


def fake_quantized(x: np.ndarray, threshold: float) -> np.ndarray:
    """clip(round(x * 127 / th), -128, 127) / (127 / th), halves to even, float32."""
    flat = np.ascontiguousarray(x, np.float32).reshape(-1)
    return _calib.fake_quantize(flat, 127.0 / threshold).reshape(x.shape)


class _Tuner:
    def __init__(
        self,
        thresholds: Mapping[str, float],
        abs_max: Mapping[str, float],
        samples: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.initial = dict(thresholds)
        self.current = dict(thresholds)
        self.abs_max = abs_max
        self.samples = samples
        self.pool = pool
        self.tuned: set[str] = set()

    def visit(self, node: Node, live: Mapping[str, np.ndarray], run: RunNode) -> None:
        producers = list(dict.fromkeys(v.name for v in node.activations))
        if not producers or any(p not in self.initial for p in producers):
            return
        fresh = [p for p in producers if p not in self.tuned]
        for name in fresh or producers[:1]:
            self._tune(name, node, live, run)
            self.tuned.add(name)

    def _tune(self, name: str, node: Node, live: Mapping[str, np.ndarray], run: RunNode) -> None:
        start, top = self.initial[name], self.abs_max[name]
        step = (top - start) / TUNE_STEPS
        if step <= 0 or top - start <= _MIN_GAIN:
            return
        reference = np.ascontiguousarray(live[node.name]).reshape(self.samples, -1)
        norms = np.abs(reference).sum(axis=1, dtype=np.float64)

        def distance(candidate: float) -> float:
            operands = {id(v): fake_quantized(live[v.name], candidate) for v in node.activations}
            y = run(node, operands).reshape(self.samples, -1)
            error = np.sqrt(_calib.squared_distance(reference, y))
            with np.errstate(divide="ignore", invalid="ignore"):
                return float(np.nan_to_num(error / norms).mean())

        candidates = [start + step * i for i in range(TUNE_STEPS + 1)]
        distances = list(self.pool.map(distance, candidates))
        best = candidates[int(np.argmin(distances))]
        self.current[name] = max(self.current[name], best)


def tune(
    graph: Graph,
    thresholds: Mapping[str, float],
    abs_max: Mapping[str, float],
    forward: Callable[[Callable[[Node, Mapping[str, np.ndarray]], None]], object],
    run: RunNode,
) -> dict[str, float]:
    """Tuned thresholds, of a graph whose batch is the tuning samples.

    Parameters
    ----------
    thresholds, abs_max : mapping of tensor name to float
        Before tuning, and the largest |x| of each.
    forward : callable
        Runs the float graph once on all tuning samples and calls its argument after each op with
        the op and the arrays that are alive (operands and outputs, by name).
    run : RunNode
        Runs one op on given operands.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # candidates are tried side by side
        tuner = _Tuner(thresholds, abs_max, graph.inputs[0].shape[0], pool)

        def visit(node: Node, live: Mapping[str, np.ndarray]) -> None:
            if node.op != "Input":
                tuner.visit(node, live, run)

        forward(visit)
    return tuner.current
