"""Compiled simulation of a Graph[tpu].

    Program(graph).run({"input": pictures})

Each op runs on a C kernel over images (channels last, in one planned buffer) where one fits, else
on the numpy reference over plain NCHW arrays. Values are converted where the two meet. Results do
not depend on the number of threads or on the instruction set.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

import numpy as np

from tpuc.errors import DataError, Skip
from tpuc.ir import DType, Graph
from tpuc.ir.batch import with_batch
from tpuc.kernels.casts import to_float32
from tpuc.simulator.choose import ImageKernel, choose
from tpuc.simulator.steps import Machine

__all__ = ["Observe", "Program"]

Observe = Collection[str] | Callable[[str, np.ndarray], None] | str | None

_MACHINES = 4
"""Batch sizes whose buffers are kept."""


class Program:
    """A lowered graph, ready to run.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`; must not change afterwards.
    threads : int, optional
        Default: the processors this process may use.

    Attributes
    ----------
    fallbacks : dict of str to str
        Ops that run on the numpy reference, and why.
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise DataError(f"threads is {threads}; expected at least 1")
        self.graph = graph
        self.threads = threads or len(os.sched_getaffinity(0))
        self.fallbacks: dict[str, str] = {}
        self._kernels: dict[str, ImageKernel] = {}
        for node in graph.nodes:
            chosen = choose(node)
            if isinstance(chosen, ImageKernel):
                self._kernels[node.name] = chosen
            elif node.op not in ("Input", "Cast", "Reshape", "Squeeze", "Unsqueeze"):
                self.fallbacks[node.name] = chosen.reason
        self._machines: OrderedDict[int, Machine] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        observe: Observe = None,
        raw: bool = False,
    ) -> dict[str, np.ndarray]:
        """Run one batch.

        Parameters
        ----------
        feeds : mapping of input name to float32 array
            The first dimension may be any multiple of the graph's own batch.
        observe : names, 'all', or callable (name, array), optional
            Tensors wanted besides the outputs; a callable receives every tensor, in program order,
            and only the outputs are returned.
        raw : bool
            Stored integers instead of real numbers.

        Returns
        -------
        dict of str to ndarray
            Outputs under the graph's output names, and observed tensors, as float32 (dequantized).

        Raises
        ------
        DataError : a feed is missing, unknown, or has the wrong shape; an observed name is unknown
        """
        arrays, factor = self._check_feeds(feeds)
        wanted = self._check_names(observe)
        results: dict[str, list[np.ndarray]] = {}
        with self._lock:
            machine = self._machine(factor)
            parts = 1 if machine is not None else factor
            machine = machine or self._machine(1)
            assert machine is not None
            for part in range(parts):
                size = {k: len(v) // parts for k, v in arrays.items()}
                own = {k: v[part * size[k] : (part + 1) * size[k]] for k, v in arrays.items()}
                for name, array in machine.run(own, wanted).items():
                    results.setdefault(name, []).append(array)
        joined = {k: v[0] if len(v) == 1 else np.concatenate(v) for k, v in results.items()}
        return self._deliver(joined, observe, raw)

    def run_raw(
        self, feeds: Mapping[str, np.ndarray], observe: Observe = None
    ) -> dict[str, np.ndarray]:
        """`run`, with stored integers instead of real numbers."""
        return self.run(feeds, observe, raw=True)

    def _deliver(
        self, stored: dict[str, np.ndarray], observe: Observe, raw: bool
    ) -> dict[str, np.ndarray]:
        values = {v.name: v for v in self.graph.values()}
        shown = stored if raw else {k: to_float32(v, values[k]) for k, v in stored.items()}
        if not callable(observe):
            return shown
        for name in values:
            observe(name, shown[name])
        return {v.name: shown[v.name] for v in self.graph.outputs}

    def _machine(self, factor: int) -> Machine | None:
        """The machine of a batch; None if the graph can not be widened."""
        if factor not in self._machines:
            wide = with_batch(self.graph, factor)
            if isinstance(wide, Skip):
                return None
            self._machines[factor] = Machine(wide, self._kernels, self.threads)
            if len(self._machines) > _MACHINES:
                self._machines.popitem(last=False)
        self._machines.move_to_end(factor)
        return self._machines[factor]

    def _check_names(self, observe: Observe) -> set[str]:
        every = [v.name for v in self.graph.values()]
        outputs = {v.name for v in self.graph.outputs}
        if observe is None:
            return outputs
        if callable(observe) or observe == "all":
            return set(every)
        asked = {observe} if isinstance(observe, str) else set(observe)
        for name in sorted(asked - set(every)):
            raise DataError(f"the network has no tensor '{name}'")
        return asked | outputs

    def _check_feeds(self, feeds: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
        inputs = {v.name: v for v in self.graph.inputs}
        if set(feeds) != set(inputs):
            raise DataError(f"inputs given: {sorted(feeds)}; expected {sorted(inputs)}")
        arrays: dict[str, np.ndarray] = {}
        factors = set()
        for name, value in inputs.items():
            array = np.ascontiguousarray(feeds[name], DType.F32.numpy)
            own = value.shape
            fits = array.ndim == len(own) and array.shape[1:] == own[1:]
            if not fits or (own and (array.shape[0] % own[0] or not array.shape[0])):
                raise DataError(
                    f"Input '{name}': shape {array.shape}; expected {own}, or a multiple of "
                    f"{own[0] if own else 1} in the first dimension"
                )
            factors.add(array.shape[0] // own[0] if own else 1)
            arrays[name] = array
        if len(factors) > 1:
            raise DataError(f"inputs have different batches: {sorted(factors)} times the graph's")
        return arrays, factors.pop() if factors else 1
