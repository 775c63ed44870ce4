"""What corrections measure with: the float network and the lowered one, on the same samples.

    walk = Walk(graph, bench);  for name in ...: walk.arrive(name);  walk.gap(name)

Layers are visited in program order, and both networks go along: all visits together run each
network little more than once, whatever the number of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir import Graph, Node, Value

__all__ = ["Bench", "Difference", "Gap", "Pair", "Walk", "output_cosine"]

_Outputs = list[dict[str, np.ndarray]]


class Difference(Protocol):
    """`simulator.Difference`: sums over one batch."""

    @property
    def sums(self) -> np.ndarray:
        """Of x y, x x, y y and (x - y)**2 over each sample: float64 (samples, 4)."""

    @property
    def error(self) -> np.ndarray:
        """Of x - y for each channel: float64 (C,)."""

    @property
    def count(self) -> int:
        """Numbers of a channel."""


class Pair(Protocol):
    """`simulator.SideBySide`: the float network and a lowered one at the same place."""

    def arrive(self, name: str) -> None:
        """Run both up to op `name` and with it."""

    def put(self, lowered: Graph) -> None:
        """Go on with other weights in the last op that ran."""

    def compare(self, name: str, twin: str, axis: int) -> Sequence[Difference]:
        """A float tensor and a lowered one, results of the last op, batch by batch."""

    def pairs(self, name: str, twin: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same as arrays, or two operands of the last op."""

    def first_outputs(self) -> _Outputs:
        """Outputs of the lowered network as it was given; asked for before anything else."""

    def outputs(self) -> tuple[_Outputs, _Outputs]:
        """Outputs of both, which run to their ends, batch by batch."""


@dataclass(frozen=True)
class Bench:
    """Handed in by the pipeline.

    Parameters
    ----------
    reference : Graph
        Dialect `tpu`, F32, every tensor of the uncorrected network under its own name.
    lower : callable Graph[top] -> Graph[tpu]
        With the tables of the build.
    pair : callable (reference, lowered) -> Pair
        Both on the same batches.
    samples : int
        Rows along the first axis of all batches together.
    """

    reference: Graph
    lower: Callable[[Graph], Graph]
    pair: Callable[[Graph, Graph], Pair]
    samples: int
    threads: int = 1


@dataclass(frozen=True)
class Gap:
    """How far a lowered tensor is from its float one.

    Parameters
    ----------
    cos : float
        Mean over samples.
    power : float
        Sum of squared differences over everything.
    error : float64 array (C,)
        Mean of float - lowered for each channel.
    """

    cos: float
    power: float
    error: np.ndarray


class Walk:
    """A network under correction, and how it compares.

    Parameters
    ----------
    graph : Graph
        Dialect `top`; a copy is corrected.
    """

    def __init__(self, graph: Graph, bench: Bench) -> None:
        self.graph = graph.clone()
        self.bench = bench
        self.nodes = {n.name: n for n in self.graph.nodes}
        self.lowered = bench.lower(self.graph)
        self.pair = bench.pair(bench.reference, self.lowered)
        self._before = self.pair.first_outputs()

    def arrive(self, name: str) -> None:
        """Run both networks up to op `name` and with it."""
        self.pair.arrive(name)

    def put(self, name: str, operands: dict[int, np.ndarray]) -> None:
        """Give op `name`, which ran last, other weights by operand index, and lower again."""
        node = self.nodes[name]
        inputs = list(node.inputs)
        for index, data in operands.items():
            old = inputs[index]
            if old is None or old.data is None or data.shape != old.shape:
                raise GraphError(f"{node}: operand {index} can not be replaced by {data.shape}")
            inputs[index] = Value(old.name, old.shape, old.dtype, old.quant, data)
        self.graph.set_inputs(node, inputs)
        self.lowered = self.bench.lower(self.graph)
        self.pair.put(self.lowered)

    def lowered_node(self, name: str) -> Node | None:
        """The lowered op that makes tensor `name`."""
        return next((n for n in self.lowered.nodes if n.name == name), None)

    def pairs(self, name: str, twin: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Float tensor `name` and lowered tensor `twin`, batch by batch."""
        return self.pair.pairs(name, twin)

    def gap(self, name: str, axis: int = 1) -> Gap:
        """Compare the result of the last op; `axis` is that of the channels."""
        found = self.pair.compare(name, name, axis)
        sums = np.concatenate([d.sums for d in found])
        error = np.sum([d.error for d in found], axis=0) / sum(d.count for d in found)
        return Gap(_mean_cosine(sums), float(sums[:, 3].sum()), error)

    def output_cosines(self) -> tuple[float, float]:
        """Mean cosine of all outputs to float, as it was and as it is; the end of the walk."""
        real, ours = self.pair.outputs()
        names = list(zip(self.graph.outputs, self.lowered.outputs))
        before, after = (
            [_output_cosine(real, a.name, made, b.name) for a, b in names]
            for made in (self._before, ours)
        )
        return float(np.mean(before)), float(np.mean(after))


def output_cosine(graph: Graph, bench: Bench) -> float:
    """Mean cosine of the outputs of a network, lowered, against the float reference."""
    return Walk(graph, bench).output_cosines()[0]


def _output_cosine(real: _Outputs, name: str, ours: _Outputs, twin: str) -> float:
    rows = []
    for a, b in zip(real, ours):
        x, y = (v.astype(np.float64).reshape(len(v), -1) for v in (a[name], b[twin]))
        rows.append(np.stack([(x * y).sum(1), (x * x).sum(1), (y * y).sum(1)], axis=1))
    return _mean_cosine(np.concatenate(rows))


def _mean_cosine(sums: np.ndarray) -> float:
    """Mean over rows of sum x y / (|x| |y|); 1 where both are zero, 0 where one is."""
    norms = np.sqrt(sums[:, 1]) * np.sqrt(sums[:, 2])
    alike = (sums[:, 1] == sums[:, 2]).astype(np.float64)
    return float(np.mean(np.divide(sums[:, 0], norms, out=alike, where=norms > 0)))
