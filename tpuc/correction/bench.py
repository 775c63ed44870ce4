"""What corrections measure with: the float network and the lowered one, on the same samples.

    walk = Walk(graph, bench);  for name in ...: walk.arrive(name);  walk.gap(name)

Layers are visited in program order. Both networks keep only what later layers read, so all visits
together run each network little more than once, whatever the number of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir import Graph, Node, Value
from tpuc.kernels import _calib  # type: ignore[attr-defined]

__all__ = ["Bench", "Gap", "Runner", "Walk", "output_cosine"]


class Runner(Protocol):
    """`simulator.IncrementalRunner`."""

    def run(self, graph: Graph, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """Tensors of each batch as real numbers, float32."""

    def hold(self, base: Graph, variants: Iterable[Graph], at: str) -> None:
        """Keep the tensors alive just before the op that makes `at`."""


@dataclass(frozen=True)
class Bench:
    """Handed in by the pipeline.

    Parameters
    ----------
    reference : Graph
        Dialect `tpu`, F32, every tensor of the uncorrected network under its own name.
    lower : callable Graph[top] -> Graph[tpu]
        With the tables of the build.
    floats, integers : Runner
        On the same batches; one for `reference`, one for lowered graphs.
    samples : int
        Rows along the first axis of all batches together.
    """

    reference: Graph
    lower: Callable[[Graph], Graph]
    floats: Runner
    integers: Runner
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

    def arrive(self, name: str) -> None:
        """Run both networks up to op `name`."""
        self.bench.floats.hold(self.bench.reference, [], name)
        self.bench.integers.hold(self.lowered, [], name)

    def put(self, name: str, operands: dict[int, np.ndarray]) -> None:
        """Give op `name` other weights, by operand index, and lower again."""
        node = self.nodes[name]
        inputs = list(node.inputs)
        for index, data in operands.items():
            old = inputs[index]
            if old is None or old.data is None or data.shape != old.shape:
                raise GraphError(f"{node}: operand {index} can not be replaced by {data.shape}")
            inputs[index] = Value(old.name, old.shape, old.dtype, old.quant, data)
        self.graph.set_inputs(node, inputs)
        self.lowered = self.bench.lower(self.graph)

    def lowered_node(self, name: str) -> Node | None:
        """The lowered op that makes tensor `name`."""
        return next((n for n in self.lowered.nodes if n.name == name), None)

    def pairs(self, name: str, twin: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Float tensor `name` and lowered tensor `twin`, batch by batch."""
        floats = self.bench.floats.run(self.bench.reference, [name])
        lowered = self.bench.integers.run(self.lowered, [twin])
        for a, b in zip(floats, lowered):
            yield a[name], b[twin]

    def gap(self, name: str, twin: str | None = None, axis: int = 1) -> Gap:
        """Compare a tensor; `axis` is that of the channels."""
        cosines: list[float] = []
        power = 0.0
        error: np.ndarray | float = 0.0
        count = 0
        for real, ours in self.pairs(name, twin or name):
            planes = axis == 1 and real.ndim > 2
            channels = real.shape[1] if planes else 1
            parts = _similarity(real, ours, real.shape[0] * channels)
            sums = parts.reshape(real.shape[0], channels, -1).sum(axis=1)
            cosines += [_cosine(s) for s in sums]
            power += float(sums[:, 5].sum())
            if planes:
                error = error + parts[:, 4].reshape(-1, channels).sum(axis=0)
            else:
                others = tuple(i for i in range(real.ndim) if i != axis % real.ndim)
                error = error + (real - ours).sum(axis=others, dtype=np.float64)
            count += real.size // real.shape[axis]
        return Gap(float(np.mean(cosines)), power, np.asarray(error / count))

    def output_cos(self) -> float:
        """Mean cosine of all outputs."""
        pairs = zip(self.graph.outputs, self.lowered.outputs)
        return float(np.mean([self.gap(a.name, b.name, axis=-1).cos for a, b in pairs]))


def output_cosine(graph: Graph, bench: Bench) -> float:
    """Mean cosine of the outputs of a network, lowered, against the float reference."""
    return Walk(graph, bench).output_cos()


def _similarity(a: np.ndarray, b: np.ndarray, rows: int) -> np.ndarray:
    """Sums of each row: see the kernel."""
    pair = (np.ascontiguousarray(v, np.float32).reshape(rows, -1) for v in (a, b))
    return np.asarray(_calib.similarity(*pair, 1))


def _cosine(sums: np.ndarray) -> float:
    norms = float(np.sqrt(sums[1]) * np.sqrt(sums[2]))
    if norms == 0.0:
        return 1.0 if sums[1] == sums[2] else 0.0
    return float(sums[0] / norms)
