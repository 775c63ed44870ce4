"""Shapes of ops that compute."""

from __future__ import annotations

import math

from tpuc.errors import GraphError
from tpuc.ir.node import Node
from tpuc.ir.shapes.registry import Shapes, broadcast, rule, shape_of

__all__: list[str] = []


@rule("Add", "Sub", "Mul", "Div", "Max", "Min")
def _elementwise(node: Node) -> Shapes:
    return (broadcast(node, [v.shape for v in node.inputs if v is not None]),)


def _window(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1


@rule("Conv", "Conv2D")
def _conv(node: Node) -> Shapes:
    n, _, *space = shape_of(node)
    filters = shape_of(node, 1)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    dilations = node.ints("dilations", (1,) * len(kernel))
    rank = len(space)
    if len(kernel) != rank:
        raise GraphError(f"{node}: kernel {kernel} on an input of shape {shape_of(node)}")
    _check_filter(node, shape_of(node)[1])
    out = tuple(
        _window(space[i], kernel[i], strides[i], pads[i] + pads[i + rank], int(dilations[i]))
        for i in range(rank)
    )
    if min(out) < 1:
        raise GraphError(f"{node}: output size {out} is empty for input {shape_of(node)}")
    return ((n, filters[0], *out),)


def _check_filter(node: Node, channels: int) -> None:
    """A filter has shape (OC, C / group, *kernel), a bias one number for each of OC."""
    filters, group = shape_of(node, 1), node.integer("group") if "group" in node.attrs else 1
    kernel = tuple(node.ints("kernel_shape"))
    expected = (filters[0], channels // group, *kernel)
    if filters != expected or channels % group or filters[0] % group:
        raise GraphError(
            f"{node}: filter {filters} in {group} groups on {channels} channels; "
            f"expected {expected}"
        )
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None and bias.size not in (1, filters[0]):
        raise GraphError(f"{node}: bias {bias.shape} for {filters[0]} channels")


@rule("Deconv")
def _deconv(node: Node) -> Shapes:
    n, _, *space = shape_of(node)
    filters = shape_of(node, 1)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    rank = len(space)
    _check_filter(node, shape_of(node)[1])
    dilations = node.ints("dilations", (1,) * rank)
    extra = node.ints("output_padding", (0,) * rank)
    out = tuple(
        (space[i] - 1) * strides[i]
        + int(dilations[i]) * (kernel[i] - 1)
        + 1
        + int(extra[i])
        - pads[i]
        - pads[i + rank]
        for i in range(rank)
    )
    return ((n, filters[0], *out),)


@rule("AvgPool", "MaxPool", "Pool2D")
def _pool(node: Node) -> Shapes:
    n, c, *space = shape_of(node)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    rank = len(space)
    if not kernel:  # global
        return ((n, c, *([1] * rank)),)
    if len(kernel) != rank or min(kernel) < 1:
        raise GraphError(f"{node}: window {kernel} on an input of shape {shape_of(node)}")
    if not node.attrs.get("keepdims", True):
        if any(size > whole for size, whole in zip(kernel, space)) or any(pads):
            raise GraphError(f"{node}: window {kernel}, pads {pads}; expected one inside {space}")
        return ((n, c),)
    ceil = bool(node.attrs.get("ceil_mode", False))
    out = []
    for i in range(rank):
        reach = space[i] + pads[i] + pads[i + rank] - kernel[i]
        size = (math.ceil(reach / strides[i]) if ceil else reach // strides[i]) + 1
        if ceil and (size - 1) * strides[i] >= space[i] + pads[i]:
            size -= 1  # a window may not start in the padding behind the picture
        out.append(size)
    if min(out) < 1:
        raise GraphError(f"{node}: output size {out} is empty for input {shape_of(node)}")
    return ((n, c, *out),)


@rule("MatMul")
def _matmul(node: Node) -> Shapes:
    left, right = shape_of(node), shape_of(node, 1)
    if node.attrs.get("left_transpose"):
        left = (*left[:-2], left[-1], left[-2])
    if node.attrs.get("right_transpose"):
        right = (*right[:-2], right[-1], right[-2])
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise GraphError(f"{node}: {left} x {right}: inner sizes differ")
    batch = broadcast(node, [left[:-2], right[:-2]])
    columns = right[-1:] if len(right) > 1 else ()
    return ((*batch, *left[-2:-1], *columns),)


@rule("A16MatMul")
def _weight_only(node: Node) -> Shapes:
    left, right = shape_of(node), shape_of(node, 1)
    if left[-1] != right[-1]:
        raise GraphError(f"{node}: {left} x transposed {right}: inner sizes differ")
    return ((*left[:-1], right[0]),)


@rule("Reduce")
def _reduce(node: Node) -> Shapes:
    shape = shape_of(node)
    axes = {a % len(shape) for a in node.ints("axes")}
    keep = node.flag("keepdims")
    left = tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)
    return (left or (1,),)  # a scalar is one element


@rule("Arg")
def _arg(node: Node) -> Shapes:
    shape = shape_of(node)
    axis = node.integer("axis") % len(shape)
    keep = node.flag("keepdims")
    one = tuple(1 if i == axis else d for i, d in enumerate(shape) if keep or i != axis)
    return (one,) * len(node.outputs)
