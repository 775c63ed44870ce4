"""Reductions and ArgMax."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr

__all__ = ["arg", "reduce"]


@converts("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2", "ReduceL1", "ReduceProd")
def reduce(context: Context, node: OnnxNode) -> None:
    """Reduction over some axes, or all."""
    x = context.value(node)
    axes = context.ints(node, "axes", 1)
    if not axes:
        if node.attrs.get("noop_with_empty_axes", 0):
            context.alias(node, x)
            return
        axes = tuple(range(len(x.shape)))
    keep = bool(node.attrs.get("keepdims", 1))
    attrs: dict[str, Attr] = {
        "axes": tuple(sorted(a % len(x.shape) for a in axes)),
        "is_scalar": not keep and len(axes) == len(x.shape),
        "keepdims": keep,
        "mode": node.op_type,
    }
    context.emit(node, "Reduce", [x], attrs)


@converts("ArgMax", "ArgMin")
def arg(context: Context, node: OnnxNode) -> None:
    """Index of the largest or smallest element."""
    if node.attrs.get("select_last_index", 0):
        raise UnsupportedError(f"{node}: select_last_index=1 is not supported")
    x = context.value(node)
    attrs: dict[str, Attr] = {
        "axis": int(node.attrs.get("axis", 0)) % len(x.shape),
        "keepdims": bool(node.attrs.get("keepdims", 1)),
        "mode": node.op_type,
    }
    context.emit(node, "Arg", [x], attrs)
