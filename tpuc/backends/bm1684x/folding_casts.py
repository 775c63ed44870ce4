"""Casts to 8 bits that the op before them makes itself.

The simulator keeps the results of some half ops in float32 (TPU-MLIR's does), up to the cast that
makes bytes of them. Stored as half they would be rounded once more, so these ops make the bytes:
what only moves numbers in between moves bytes then.
"""

from __future__ import annotations

from tpuc.backends.bm1684x.rules.rule import BYTES
from tpuc.ir import DType, Graph, Node, Value

__all__ = ["fold_casts"]

_UNROUNDED = ("LayerNorm", "RMSNorm", "GroupNorm", "Interp")
_MOVES = ("Reshape", "Permute", "Slice", "Squeeze", "Unsqueeze")


def fold_casts(graph: Graph) -> Graph:
    """A copy in which half ops that are not rounded make the bytes that are made of them."""
    folded = graph.clone()
    for node in folded:
        if node.op in _UNROUNDED and node.output.dtype == DType.F16:
            found = _cast_behind(folded, node)
            if found is not None and node.attrs.get("mode") != "nearest":
                _fold(folded, *found)
    return folded


def _cast_behind(graph: Graph, node: Node) -> tuple[list[Value], Node] | None:
    """The values up to the cast that is all they are read for, and it."""
    values = [node.output]
    while not any(values[-1] is v for v in graph.outputs) and len(values[-1].users) == 1:
        (user,) = values[-1].users
        if user.op == "Cast":
            quant = user.output.quant
            plain = quant is not None and not quant.zero_point
            return (values, user) if user.output.dtype in BYTES and plain else None
        if user.op not in _MOVES or len(user.activations) != 1:
            return None
        values.append(user.output)
    return None


def _fold(graph: Graph, values: list[Value], cast: Node) -> None:
    target = cast.output
    graph.replace_uses(target, values[-1])
    graph.remove(cast)
    for value in values:
        value.dtype, value.quant = target.dtype, target.quant
    values[-1].name = target.name
