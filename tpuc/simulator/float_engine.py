"""The float network on C kernels: what quantized ones are held against.

Sums run in the order of TPU-MLIR's own float simulation, so activations, and with them thresholds,
are equal to the last bit where every op has a kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

import numpy as np

from tpuc.errors import DataError
from tpuc.ir import Graph, Node
from tpuc.simulator.identity import Identity
from tpuc.simulator.program import Kernels, Program
from tpuc.simulator.rerun import Rerun
from tpuc.simulator.steps import Machine

__all__ = ["FloatEngine"]

Observe = Callable[[str, np.ndarray], None]


class FloatEngine:
    """Runs an F32 graph, in as many threads at once as call it.

    Parameters
    ----------
    graph : Graph
        `lowering.float_twin` of a canonical graph; must not change afterwards.
    threads : int
        Of each run.
    """

    def __init__(self, graph: Graph, threads: int = 1) -> None:
        self.graph = graph
        self._threads = threads
        self._kernels: Kernels = {}
        self._identity = Identity()
        self._lock = threading.Lock()
        self._own = threading.local()

    def run(
        self, feeds: Mapping[str, np.ndarray], observe: Observe | Collection[str] = ()
    ) -> dict[str, np.ndarray]:
        """Run one batch.

        Parameters
        ----------
        observe : callable (name, array), or names
            A callable receives every tensor in program order, float32, strided, valid only during
            the call. Names are returned besides the outputs.

        Raises
        ------
        DataError : a feed is missing, unknown, or has the wrong shape
        """
        program = self._program()
        if not callable(observe):
            return program.run(feeds, observe=list(observe))
        if not program.widens(self._factor(feeds)):
            return program.run(feeds, observe=observe)
        results: dict[str, np.ndarray] = {}
        outputs = {v.name for v in self.graph.outputs}

        def visit(node: Node, machine: Machine) -> None:
            for value in node.outputs:
                observe(value.name, machine.look(value))
                if value.name in outputs:
                    results[value.name] = machine.array(value)

        program.walk(feeds, visit)
        return results

    def walk(
        self,
        feeds: Mapping[str, np.ndarray],
        visit: Callable[[Node, Callable[[], Rerun]], None],
    ) -> None:
        """Run one batch, and after each op call `visit(op, again)`; `again()` makes its Rerun.

        Raises
        ------
        DataError : the samples can not run at once
        """
        samples = self._factor(feeds)
        self._program().walk(feeds, lambda node, m: visit(node, lambda: Rerun(m, node, samples)))

    def _factor(self, feeds: Mapping[str, np.ndarray]) -> int:
        first = self.graph.inputs[0]
        if first.name not in feeds:
            raise DataError(f"inputs given: {sorted(feeds)}; '{first.name}' is missing")
        return max(1, np.shape(feeds[first.name])[0] // max(1, first.shape[0]))

    def _program(self) -> Program:
        """The calling thread's own; kernels are packed once for all."""
        if not hasattr(self._own, "program"):
            with self._lock:
                self._own.program = Program(
                    self.graph, self._threads, self._kernels, self._identity
                )
        return self._own.program
