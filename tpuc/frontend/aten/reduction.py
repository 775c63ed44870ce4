"""Reductions along axes."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr

__all__ = ["arg", "extreme", "reduce"]

_MODES = {"mean": "ReduceMean", "sum": "ReduceSum", "amax": "ReduceMax", "amin": "ReduceMin"}


@converts(*_MODES)
def reduce(context: TorchContext, node: TorchNode) -> None:
    """(input, axes, keepdim, dtype); mean(x) and sum(x) without axes reduce all."""
    x = context.value(node)
    rank = len(x.shape)
    given = len(node.args) > 1 and node.args[1] is not None
    by_axis = len(node.args) > 2 or node.kind in ("aten::amax", "aten::amin")
    axes = node.ints(1) if by_axis and given and node.arg(1) != [] else tuple(range(rank))
    keep = bool(node.arg(2, False)) if by_axis else False
    attrs: dict[str, Attr] = {
        "axes": tuple(sorted(a % rank for a in axes)),
        "keepdims": keep,
        "mode": _MODES[node.kind.removeprefix("aten::")],
    }
    context.emit(node, "Reduce", [x], attrs)


@converts("max", "min")
def extreme(context: TorchContext, node: TorchNode) -> None:
    """Of two tensors element by element; or (values, indices) along an axis."""
    word = node.kind.removeprefix("aten::").capitalize()
    if len(node.outputs) == 2:
        x, axis = context.value(node), int(node.arg(1))
        attrs: dict[str, Attr] = {
            "axis": axis % len(x.shape),
            "keepdims": bool(node.arg(2, False)),
            "mode": f"Arg{word}",
            "select_last_index": True,
        }
        values, indices = node.outputs
        # TPU-MLIR names the indices, its first result, after torch's first output: the values
        made = context.emit_many(node, "Arg", [x], attrs, [values, indices])
        context.known[indices], context.known[values] = made
    elif len(node.args) == 1:
        axes = tuple(range(len(context.value(node).shape)))
        attrs = {"axes": axes, "keepdims": False, "mode": f"Reduce{word}"}
        context.emit(node, "Reduce", [context.value(node)], attrs)
    else:
        x, y = context.value(node), context.value(node, 1)
        context.emit(node, word, [y, x] if x.is_weight else [x, y])


@converts("argmax", "argmin")
def arg(context: TorchContext, node: TorchNode) -> None:
    """Position of the largest or smallest along an axis."""
    x = context.value(node)
    if node.arg(1) is None:
        raise UnsupportedError(f"{node}: has no axis; expected one")
    mode = "ArgMax" if node.kind == "aten::argmax" else "ArgMin"
    attrs: dict[str, Attr] = {
        "axis": int(node.arg(1)) % len(x.shape),
        "keepdims": bool(node.arg(2, False)),
        "mode": mode,
    }
    context.emit(node, "Arg", [x], attrs, name=f"{node.name}_{mode}")
