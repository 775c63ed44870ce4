"""What an upper limit between two layers (Relu6) lets scale.

    min(x_i, L) = S_i min(x_i / S_i, L / S_i)

A limit is one number for all channels: it becomes L / T, T the factor that all channels that reach
it have together. The others have an S_i of their own, not below T, so that nothing is cut off that
was not before. Which channels reach the limit is seen on samples; one counts as near it that comes
up to a half, as other samples reach further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.ir import Graph, Node

__all__ = ["Freedom", "Tensors", "limit_of", "measured_tops"]

Tensors = Callable[[Sequence[str]], Iterator[dict[str, np.ndarray]]]
"""Float tensors of the network by name, batch by batch."""

_NEAR = 0.5


def limit_of(node: Node) -> float | None:
    """The upper limit of an op's result, if it has one."""
    limit = node.attrs.get("relu_limit", -1.0)
    rectifies = node.op == "Relu" or bool(node.attrs.get("do_relu"))
    return limit if rectifies and isinstance(limit, float) and limit > 0 else None


def measured_tops(graph: Graph, tensors: Tensors | None) -> dict[str, np.ndarray]:
    """Largest value of each channel of every limited tensor, float64; empty without samples."""
    names = [n.output.name for n in graph.nodes if limit_of(n) is not None]
    tops: dict[str, np.ndarray] = {}
    for batch in tensors(names) if tensors is not None and names else ():
        for name in names:
            others = tuple(i for i in range(batch[name].ndim) if i != 1)
            top = batch[name].max(axis=others).astype(np.float64)
            tops[name] = np.maximum(tops[name], top) if name in tops else top
    return tops


@dataclass
class Freedom:
    """What the limits between two layers leave free.

    Parameters
    ----------
    tied : bool array (C,)
        Channels that come near a limit: they scale together.
    limited : tuple of Node
        Ops whose limit scales with them.
    """

    tied: np.ndarray
    limited: tuple[Node, ...] = ()

    @classmethod
    def of(cls, channels: int, limited: list[Node], tops: dict[str, np.ndarray]) -> Freedom:
        """From the limited ops in between, and the largest values of their results."""
        tied = np.zeros(channels, bool)
        for node in limited:
            limit = limit_of(node)
            assert limit is not None
            tied |= tops[node.output.name] >= _NEAR * limit
        return cls(tied, tuple(limited))

    def as_one(self, ranges: np.ndarray) -> np.ndarray:
        """Ranges (C,) with the tied channels counted as one."""
        if not self.tied.any():
            return ranges
        return np.where(self.tied, ranges[self.tied].max(), ranges)

    def allowed(self, wanted: np.ndarray) -> np.ndarray:
        """The scales nearest to `wanted` (C,) that leave the network as it is."""
        return np.maximum(wanted, self.share(wanted)) if self.limited else wanted

    def share(self, scale: np.ndarray) -> float:
        """What limits are divided by: the factor of the tied channels, or the least of all."""
        return float(scale[self.tied][0] if self.tied.any() else scale.min())

    def words(self) -> str:
        """For the report; empty where nothing is limited."""
        if not self.limited:
            return ""
        count, limit = int(np.count_nonzero(self.tied)), limit_of(self.limited[0]) or 0.0
        return (
            f"; {count} of {len(self.tied)} channels come near the limit of {limit:g} "
            "and share a factor"
        )
