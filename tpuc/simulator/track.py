"""One graph on many batches, op by op; weights may change on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tpuc.ir import Graph, Node
from tpuc.ir.batch import with_batch
from tpuc.kernels.casts import to_float32
from tpuc.simulator.choose import choose
from tpuc.simulator.identity import Identity
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.stepper import Kernel, Stepper

__all__ = ["Track"]


class Track:
    """A graph on pieces of batches.

    Parameters
    ----------
    graph : Graph
        Dialect `tpu`; must not change afterwards.
    pieces : sequence of dict of input name to array
        The graph can be widened to the first dimension of each.
    threads : int
        Of each op.

    Attributes
    ----------
    machines : list of Stepper
        One for each piece: pieces do not depend on one another.
    results : list of dict
        Outputs that were made so far, float32.
    """

    def __init__(
        self, graph: Graph, pieces: Sequence[Mapping[str, np.ndarray]], threads: int
    ) -> None:
        self.graph, self._pieces, self._threads = graph, pieces, threads
        self._identity = Identity()
        self._kernels: list[Kernel] = [choose(node) for node in graph.nodes]
        self._forms = [self._identity.form(node) for node in graph.nodes]
        self._outputs = {v.name for v in graph.outputs}
        self._values = {v.name: v for v in graph.values()}
        self.machines = self._make()
        self.results: list[dict[str, np.ndarray]] = [{} for _ in pieces]
        for index in range(len(pieces)):
            self.begin(index)

    def _make(self) -> list[Stepper]:
        models: dict[int, Stepper] = {}
        made: list[Stepper] = []
        for factor in self._factors():
            if factor in models:
                made.append(models[factor].fresh())
                continue
            made.append(Stepper.of(self._widened(factor), self._kernels, self._threads))
            models[factor] = made[-1]
        return made

    def _factors(self) -> list[int]:
        first = self.graph.inputs[0]
        own = first.shape[0] if first.shape else 1
        return [len(piece[first.name]) // own for piece in self._pieces]

    def _widened(self, factor: int) -> Graph:
        wide = with_batch(self.graph, factor)
        assert isinstance(wide, Graph)
        return wide

    def begin(self, index: int) -> None:
        """Start a piece from the inputs."""
        piece = self._pieces[index]
        feeds = {v.name: np.asarray(piece[v.name], v.dtype.numpy) for v in self.graph.inputs}
        self.machines[index].start(feeds)
        self.results[index] = {}

    def forward(self, index: int, name: str | None = None) -> None:
        """Run a piece up to op `name` and with it; None: to the end."""
        nodes = self.graph.nodes
        stop = next((i + 1 for i, n in enumerate(nodes) if n.name == name), len(nodes))
        self._until(index, stop)

    def _until(self, index: int, stop: int) -> None:
        machine = self.machines[index]
        while machine.at < stop:
            machine.step()
            self._keep_outputs(index)

    def _keep_outputs(self, index: int) -> None:
        for value in self.machines[index].last.outputs:
            if value.name in self._outputs:
                self.results[index][value.name] = self.array(index, value.name)

    def array(self, index: int, name: str) -> np.ndarray:
        """Result or operand of the last op that ran, as real numbers."""
        return to_float32(self.machines[index].look_up(name), self._values[name])

    def put(self, graph: Graph) -> Callable[[int], None]:
        """Take a graph with other weights; what every piece has to do then."""
        changed = self._changed(graph)
        kernels = {i: choose(graph.nodes[i]) for i in changed or ()}
        at = self.machines[0].at
        alike = changed is not None and all(
            _alike(self._kernels[i], kernel) for i, kernel in kernels.items()
        )
        if not alike or any(i < at - 1 for i in kernels):
            return self._restart(graph)
        self.graph = graph
        for index, kernel in kernels.items():
            self._replace(index, kernel)
        return self._again if at - 1 in kernels else lambda piece: None

    def _restart(self, graph: Graph) -> Callable[[int], None]:
        """Everything anew, up to where it was."""
        ran = {node.name for node in self.graph.nodes[: self.machines[0].at]}
        self.__init__(graph, self._pieces, self._threads)  # type: ignore[misc]
        at = max((i + 1 for i, n in enumerate(graph.nodes) if n.name in ran), default=0)
        return lambda piece: self._until(piece, at)

    def _changed(self, graph: Graph) -> list[int] | None:
        """Ops that have other weights; None if more than that differs."""
        if len(graph.nodes) != len(self.graph.nodes):
            return None
        pairs = list(zip(self.graph.nodes, graph.nodes))
        if any(_wires(one) != _wires(other) for one, other in pairs):
            return None
        forms = [self._identity.form(node) for node in graph.nodes]
        found = [i for i, form in enumerate(forms) if form != self._forms[i]]
        self._forms = forms
        self._values = {v.name: v for v in graph.values()}
        return found

    def _replace(self, index: int, kernel: Kernel) -> None:
        self._kernels[index] = kernel
        wide = {f: self._widened(f).nodes[index] for f in set(self._factors())}
        for machine, factor in zip(self.machines, self._factors()):
            machine.replace(index, wide[factor], kernel)

    def _again(self, piece: int) -> None:
        self.machines[piece].again()
        self._keep_outputs(piece)


def _wires(node: Node) -> tuple[object, ...]:
    """What an op reads and makes, but for weights."""
    outs = tuple((v.name, v.shape, v.dtype, v.quant) for v in node.outputs)
    return node.op, tuple(v.name for v in node.activations), outs


def _alike(old: Kernel, new: Kernel) -> bool:
    """Whether a kernel runs on the buffers of another one."""
    if isinstance(old, ImageKernel) and isinstance(new, ImageKernel):
        return old.need == new.need
    return type(old) is type(new)
