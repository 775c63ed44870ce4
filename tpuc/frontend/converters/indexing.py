"""Ops that pick elements by computed or constant positions, and CumSum."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["cum_sum", "gather", "gather_elements", "gather_nd", "grid_sample", "scatter", "top_k"]

_REDUCTIONS = ("none", "add", "sub", "max", "min", "mul")


def _positions(context: Context, node: OnnxNode, index: int, size: int) -> Value:
    """Positions along one axis; constants counted from the end are turned."""
    if not context.is_constant(node, index):
        return context.value(node, index)
    given = context.constant(node, index)
    return context.weight(node.inputs[index], np.where(given < 0, given + size, given))


@converts("Gather")
def gather(context: Context, node: OnnxNode) -> None:
    """Pick positions along an axis: of an activation, or rows of a table by computed numbers."""
    x = context.value(node)
    axis = int(node.attrs.get("axis", 0)) % len(x.shape)
    indices = _positions(context, node, 1, x.shape[axis])
    scalar = context.is_constant(node, 1) and context.constant(node, 1).ndim == 0
    context.emit(node, "Gather", [x, indices], {"axis": axis, "keepdims": not scalar})


@converts("GatherElements")
def gather_elements(context: Context, node: OnnxNode) -> None:
    """out[i][j] = x[index[i][j]][j] along `axis`."""
    x = context.value(node)
    axis = int(node.attrs.get("axis", 0)) % len(x.shape)
    indices = _positions(context, node, 1, x.shape[axis])
    context.emit(node, "GatherElements", [x, indices], {"axis": axis})


@converts("GatherND")
def gather_nd(context: Context, node: OnnxNode) -> None:
    """Pick slices by tuples of positions."""
    attrs: dict[str, Attr] = {"batch_dims": int(node.attrs.get("batch_dims", 0))}
    context.emit(node, "GatherND", [context.value(node), context.value(node, 1)], attrs)


@converts("ScatterND", "ScatterElements")
def scatter(context: Context, node: OnnxNode) -> None:
    """Write updates at positions."""
    reduction = node.attrs.get("reduction", "none")
    if reduction not in _REDUCTIONS:
        raise UnsupportedError(f"{node}: reduction '{reduction}'; expected one of {_REDUCTIONS}")
    attrs: dict[str, Attr] = {"reduction": _REDUCTIONS.index(reduction)}
    operands = [context.value(node, i) for i in range(3)]
    if node.op_type == "ScatterElements":
        attrs["axis"] = int(node.attrs.get("axis", 0)) % len(operands[0].shape)
    context.emit(node, node.op_type, operands, attrs)


@converts("CumSum")
def cum_sum(context: Context, node: OnnxNode) -> None:
    """Running sum along a constant axis."""
    if node.attrs.get("exclusive", 0) or node.attrs.get("reverse", 0):
        raise UnsupportedError(f"{node}: exclusive or reverse; expected a plain running sum")
    x = context.value(node)
    axis = int(context.constant(node, 1).reshape(-1)[0]) % len(x.shape)
    context.emit(node, "CumSum", [x, context.value(node, 1)], {"axis": axis})


@converts("TopK")
def top_k(context: Context, node: OnnxNode) -> None:
    """The K largest or smallest along an axis, in order, and their positions."""
    x = context.value(node)
    given = node.attrs["k"] if "k" in node.attrs else context.constant(node, 1).reshape(-1)[0]
    attrs: dict[str, Attr] = {
        "K": int(given),
        "axis": int(node.attrs.get("axis", -1)) % len(x.shape),
        "largest": bool(node.attrs.get("largest", 1)),
    }
    names = [f"{node.outputs[0] or node.outputs[1]}_TopK_indices"]
    names = [f"{o}_{node.op_type}" if o else n for o, n in zip(node.outputs, names * 2)]
    outputs = context.emit_many(node, "TopK", [x], attrs, names)
    context.values.update((n, v) for n, v in zip(node.outputs, outputs) if n)


@converts("GridSample")
def grid_sample(context: Context, node: OnnxNode) -> None:
    """Sample a picture at computed places."""
    modes = {"bilinear": 0, "linear": 0, "nearest": 1}
    mode, padding = node.attrs.get("mode", "bilinear"), node.attrs.get("padding_mode", "zeros")
    paddings = {"zeros": 0, "border": 1, "reflection": 2}
    if mode not in modes or padding not in paddings:
        raise UnsupportedError(f"{node}: mode '{mode}', padding '{padding}'; expected {modes}")
    attrs: dict[str, Attr] = {
        "align_corners": bool(node.attrs.get("align_corners", 0)),
        "mode": modes[mode],
        "padding_mode": paddings[padding],
    }
    context.emit(node, "GridSampler", [context.value(node), context.value(node, 1)], attrs)
