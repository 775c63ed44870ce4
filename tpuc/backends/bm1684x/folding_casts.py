"""Results that are not rounded to half before bytes are made of them.

The simulator keeps the results of some half ops in float32 (TPU-MLIR's does), up to the cast that
makes bytes of them. Stored as half they would be rounded once more, so these ops make the bytes:
what only moves numbers in between moves bytes then. Where several casts and norms read a result, it
is stored as float32.
"""

from __future__ import annotations

from tpuc.backends.bm1684x.rules.rule import BYTES
from tpuc.ir import DType, Graph, Node, Value

__all__ = ["fold_casts"]

_UNROUNDED = ("LayerNorm", "RMSNorm", "GroupNorm", "Interp")
_NORMS = _UNROUNDED[:3]
_READERS = (*_NORMS, "Reduce", "Softmax")
_MOVES = ("Reshape", "Permute", "Slice", "Squeeze", "Unsqueeze")


def fold_casts(graph: Graph) -> Graph:
    """A copy in which half ops that are not rounded make bytes, or float32 for those that do."""
    folded = graph.clone()
    for node in folded:
        half = node.op in _UNROUNDED and node.output.dtype == DType.F16
        if not half or node.attrs.get("mode") == "nearest":
            continue
        found = _cast_behind(folded, node)
        if found is not None:
            _fold(folded, *found)
        elif node.op in _NORMS and _may_stay_wide(folded, node.output):
            _widen(node.output)
    return folded


def _may_stay_wide(graph: Graph, value: Value) -> bool:
    """Whether a value is read by casts to bytes and ops along an axis alone, perhaps moved."""
    if any(value is v for v in graph.outputs):
        return False
    return all(
        user.op in _READERS
        or _makes_bytes(user)
        or (_moves(user) and _may_stay_wide(graph, user.output))
        for user in value.users
    )


def _widen(value: Value) -> None:
    value.dtype = DType.F32
    for user in value.users:
        if user.op == "Cast":
            user.attrs = {**user.attrs, "through": "F16"}
        elif user.op in _MOVES:
            _widen(user.output)


def _moves(node: Node) -> bool:
    return node.op in _MOVES and len(node.activations) == 1


def _makes_bytes(node: Node) -> bool:
    quant = node.output.quant
    plain = quant is not None and not quant.zero_point
    return node.op == "Cast" and node.output.dtype in BYTES and plain


def _cast_behind(graph: Graph, node: Node) -> tuple[list[Value], Node] | None:
    """The values up to the cast that is all they are read for, and it."""
    values = [node.output]
    while not any(values[-1] is v for v in graph.outputs) and len(values[-1].users) == 1:
        (user,) = values[-1].users
        if _makes_bytes(user):
            return values, user
        if not _moves(user):
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
