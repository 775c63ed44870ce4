"""Reshape, Transpose, Concat, Split, Slice, Pad and other ops that only move data."""

from __future__ import annotations

import math

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["concat", "expand", "flatten", "pad", "reshape", "slice_", "split", "tile"]


@converts("Reshape")
def reshape(context: Context, node: OnnxNode) -> None:
    """Reshape with a constant shape (0 copies, -1 is inferred)."""
    shape = context.ints(node, "shape", 1)
    if shape is None:
        raise UnsupportedError(f"{node}: has no shape")
    if node.attrs.get("allowzero", 0) and 0 in shape:
        raise UnsupportedError(f"{node}: allowzero=1 with an empty dimension")
    context.emit(node, "Reshape", [context.value(node)], {"shape": shape})


@converts("Flatten")
def flatten(context: Context, node: OnnxNode) -> None:
    """Flatten to two dimensions."""
    x = context.value(node)
    axis = int(node.attrs.get("axis", 1))
    if axis == 1:
        context.emit(node, "Flatten", [x], {"start_dim": 1, "end_dim": -1})
        return
    axis += len(x.shape) if axis < 0 else 0
    head, tail = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    attrs: dict[str, Attr] = {"flatten_start_dim": axis, "shape": (head, tail)}
    context.emit(node, "Reshape", [x], attrs)


@converts("Transpose")
def transpose(context: Context, node: OnnxNode) -> None:
    """Permute; reversed order by default."""
    x = context.value(node)
    order = tuple(node.attrs.get("perm", range(len(x.shape))[::-1]))
    context.emit(node, "Permute", [x], {"order": order})


@converts("Squeeze", "Unsqueeze")
def squeeze(context: Context, node: OnnxNode) -> None:
    """Drop or add dimensions of size 1."""
    x = context.value(node)
    axes = context.ints(node, "axes", 1)
    if axes is None:
        axes = tuple(i for i, d in enumerate(x.shape) if d == 1)
    context.emit(node, node.op_type, [x], {"axes": axes})


@converts("Concat")
def concat(context: Context, node: OnnxNode) -> None:
    """Join along an axis; constants side by side are joined at once."""
    operands: list[Value] = []
    for index in range(len(node.inputs)):
        value, last = context.value(node, index), operands[-1] if operands else None
        if last is None or last.data is None or value.data is None:
            operands.append(value)
            continue
        axis = int(node.attrs["axis"]) % len(value.shape)
        joined = np.concatenate([last.data, value.data], axis)
        operands[-1] = context.weight(f"{last.name}_{value.name}", joined)
    if len(operands) == 1:
        context.alias(node, operands[0])
        return
    axis = int(node.attrs["axis"]) % len(operands[0].shape)
    context.emit(node, "Concat", operands, {"axis": axis})


@converts("Split")
def split(context: Context, node: OnnxNode) -> None:
    """Split into parts; the op's outputs are named after each ONNX output."""
    x = context.value(node)
    axis = int(node.attrs.get("axis", 0)) % len(x.shape)
    count = len(node.outputs)
    sizes = context.ints(node, "split", 1)
    if sizes is None:
        part = -(-x.shape[axis] // count)
        sizes = (*[part] * (count - 1), x.shape[axis] - part * (count - 1))
    attrs: dict[str, Attr] = {"axis": axis, "num": count, "split_size": sizes}
    names = [f"{o}_{node.op_type}" for o in node.outputs]
    outputs = context.emit_many(node, "Split", [x], attrs, names)
    context.values.update(zip(node.outputs, outputs))


@converts("Slice")
def slice_(context: Context, node: OnnxNode) -> None:
    """Strided slice with constant bounds."""
    x = context.value(node)
    starts, ends = context.ints(node, "starts", 1), context.ints(node, "ends", 2)
    if starts is None or ends is None:
        raise UnsupportedError(f"{node}: has no bounds")
    axes = context.ints(node, "axes", 3) or tuple(range(len(starts)))
    steps = context.ints(node, "steps", 4) or (1,) * len(starts)
    axes = tuple(a % len(x.shape) for a in axes)
    attrs = {"axes": axes, "offset": starts, "ends": ends, "steps": steps}
    context.emit(node, "Slice", [x, None, None, None], attrs)


@converts("Pad")
def pad(context: Context, node: OnnxNode) -> None:
    """Constant, reflect or edge padding."""
    x = context.value(node)
    pads = context.ints(node, "pads", 1) or context.ints(node, "paddings")
    mode = node.attrs.get("mode", "constant")
    if pads is None or mode not in ("constant", "reflect", "edge"):
        raise UnsupportedError(f"{node}: mode '{mode}'; expected constant, reflect or edge")
    axes = context.ints(node, "axes", 3)
    if axes is not None:
        full = [0] * (2 * len(x.shape))
        for i, axis in enumerate(axes):
            full[axis % len(x.shape)] = pads[i]
            full[axis % len(x.shape) + len(x.shape)] = pads[i + len(axes)]
        pads = tuple(full)
    number = node.attrs.get("value", 0.0)
    if node.has(2):
        number = context.constant(node, 2).reshape(-1)[0]
    if not any(pads):
        context.alias(node, x)
        return
    attrs = {"mode": mode, "paddings": pads, "val": float(np.float32(number))}
    context.emit(node, "Pad", [x], attrs)


@converts("Expand")
def expand(context: Context, node: OnnxNode) -> None:
    """Broadcast to a constant shape."""
    shape = context.ints(node, "shape", 1)
    assert shape is not None
    context.emit(node, "Expand", [context.value(node)], {"shape": shape})


@converts("Tile")
def tile(context: Context, node: OnnxNode) -> None:
    """Repeat along each axis."""
    repeats = context.ints(node, "repeats", 1)
    assert repeats is not None
    context.emit(node, "Tile", [context.value(node)], {"tile": repeats})


@converts("DepthToSpace", "SpaceToDepth")
def depth_to_space(context: Context, node: OnnxNode) -> None:
    """Move channels to space, or back."""
    block = int(node.attrs["blocksize"])
    attrs = {
        "block_h": block,
        "block_w": block,
        "is_CRD": node.attrs.get("mode", "DCR") == "CRD",
        "is_inversed": node.op_type == "SpaceToDepth",
    }
    context.emit(node, "Depth2Space", [context.value(node)], attrs)
