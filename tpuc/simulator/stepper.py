"""A machine that stops after every op, and may run an op again with other weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tpuc.errors import Skip
from tpuc.ir import Graph, Node, Value
from tpuc.kernels._int8 import View
from tpuc.simulator.image_kernel import ImageKernel
from tpuc.simulator.plain import PlainKernel
from tpuc.simulator.plan import Scratch
from tpuc.simulator.steps import Machine

__all__ = ["Kernel", "Stepper"]

Kernel = ImageKernel | PlainKernel | Skip


class Stepper(Machine):
    """One batch of a graph, op by op.

    Attributes
    ----------
    at : int
        Ops that ran; operands and results of the last one are alive.
    """

    at = 0
    _named: dict[str, Value]

    @staticmethod
    def of(graph: Graph, kernels: Sequence[Kernel], threads: int) -> Stepper:
        """A machine for `graph`, whose ops have these kernels."""
        pairs = [(n.name, k) for n, k in zip(graph.nodes, kernels)]
        images = {n: k for n, k in pairs if isinstance(k, ImageKernel)}
        plain = {n: k for n, k in pairs if isinstance(k, PlainKernel)}
        made = Stepper(graph, (images, plain, {}), threads)
        made._named = {v.name: v for v in graph.values()}
        return made

    def fresh(self) -> Stepper:
        """The same machine with a buffer of its own."""
        other = self.twin(Scratch())
        assert isinstance(other, Stepper)
        return other

    @property
    def last(self) -> Node:
        """The op that ran last."""
        return self.graph.nodes[self.at - 1]

    def start(self, feeds: Mapping[str, np.ndarray]) -> None:
        """Begin with these inputs."""
        self._plain = dict(feeds)
        self.at = 0

    def step(self) -> None:
        """Run the next op."""
        if self.at:
            self._drop(self._dead[self.at - 1])
        self._steps[self.at]()
        self.at += 1

    def again(self) -> None:
        """Run the last op again."""
        self._drop([v.name for v in self.last.outputs])
        self._steps[self.at - 1]()

    def replace(self, index: int, node: Node, kernel: Kernel) -> None:
        """Run op `index` as `node` from now on: the same op, with other weights.

        Parameters
        ----------
        kernel : as the op had, over the same images
        """
        if isinstance(kernel, ImageKernel):
            self._steps[index] = self._kernel_step(kernel, node)
        elif isinstance(kernel, PlainKernel):
            self._steps[index] = self._plain_step(kernel, node)
        else:
            self._steps[index] = lambda: self._reference(node)

    def value(self, name: str) -> Value:
        """A tensor of this graph."""
        return self._named[name]

    def look_up(self, name: str) -> np.ndarray:
        """Result or operand of the last op, as a plain array in its stored type."""
        return self.array(self._named[name])

    def image(self, name: str) -> View | None:
        """Where a result of the last op lies, if that is an image."""
        return None if name in self._plain else self.views.get(name)
