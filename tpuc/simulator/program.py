"""A compiled Graph[tpu]: feed it float batches, get real numbers out, see every tensor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from tpuc.errors import DataError, Skip
from tpuc.ir import Graph, verify
from tpuc.ir.batch import with_batch
from tpuc.kernels.casts import to_float32
from tpuc.simulator.interpreter import interpret

__all__ = ["Program"]

Observe = Callable[[str, np.ndarray], None] | Collection[str] | None


class Program:
    """Executes a lowered graph.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`.
    threads : int, optional
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph = verify(graph, "tpu")
        self.threads = threads
        self._wide: dict[int, Graph | Skip] = {1: graph}

    def run(
        self, feeds: Mapping[str, np.ndarray], observe: Observe = None
    ) -> dict[str, np.ndarray]:
        """Run one batch, a multiple of the graph's own; everything comes back as float32.

        Parameters
        ----------
        observe : callable, names or "all"
            Tensors to return besides the outputs, or a function called with (name, array) of each.

        Raises
        ------
        DataError : an input is missing, or has another shape
        """
        factor = self._factor(feeds)
        if factor not in self._wide:
            self._wide[factor] = with_batch(self.graph, factor)
        graph = self._wide[factor]
        if isinstance(graph, Skip):
            parts = [
                {k: np.split(np.asarray(v), factor)[i] for k, v in feeds.items()}
                for i in range(factor)
            ]
            results = [self._run(self.graph, p, observe) for p in parts]
            return {k: np.concatenate([r[k] for r in results]) for k in results[0]}
        return self._run(graph, feeds, observe)

    def _factor(self, feeds: Mapping[str, np.ndarray]) -> int:
        factors = set()
        for value in self.graph.inputs:
            given = np.shape(feeds.get(value.name, ()))
            fits = len(given) == len(value.shape) and given[1:] == value.shape[1:]
            if not fits or not given[0] or given[0] % value.shape[0]:
                raise DataError(f"input '{value.name}': shape {given}; expected {value.shape}")
            factors.add(given[0] // value.shape[0])
        if len(factors) != 1:
            raise DataError(f"inputs have different numbers of samples: {sorted(factors)}")
        return factors.pop()

    def _run(
        self, graph: Graph, feeds: Mapping[str, np.ndarray], observe: Observe
    ) -> dict[str, np.ndarray]:
        stored = interpret(graph, feeds)
        values = {v.name: v for v in graph.values()}
        wanted = [v.name for v in graph.outputs]
        if callable(observe):
            for name, array in stored.items():
                observe(name, to_float32(array, values[name]))
        elif observe is not None:
            wanted += list(stored) if observe == "all" else list(observe)
        return {n: to_float32(stored[n], values[n]) for n in dict.fromkeys(wanted)}
