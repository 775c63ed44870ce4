"""Shape rules of Graph[top] and of those ops of Graph[tpu] that share a name with one.

One small function per op family; all take a node and return the shapes of its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir.graph import Node, Value

__all__ = ["Shape", "infer_shapes"]

Shape = tuple[int, ...]
_RULES: dict[str, Callable[[Node], tuple[Shape, ...]]] = {}


def infer_shapes(node: Node) -> tuple[Shape, ...]:
    """Shapes of all outputs from the operands' shapes and the attributes.

    Raises
    ------
    GraphError : the op has no rule, or operands do not fit together
    """
    rule = _RULES.get(node.op)
    if rule is None:
        raise GraphError(f"{node}: no shape rule")
    return rule(node)


def _rule(*ops: str) -> Callable[[Callable[[Node], tuple[Shape, ...]]], object]:
    def register(function: Callable[[Node], tuple[Shape, ...]]) -> object:
        for op in ops:
            _RULES[op] = function
        return function

    return register


def _in(node: Node, index: int = 0) -> Shape:
    value = node.inputs[index]
    assert value is not None
    return value.shape


def _broadcast(node: Node, shapes: list[Shape]) -> Shape:
    try:
        return tuple(int(d) for d in np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise GraphError(f"{node}: shapes {shapes} do not broadcast") from error


@_rule(
    *[
        "Relu",
        "Clip",
        "LeakyRelu",
        "PRelu",
        "Sigmoid",
        "HardSigmoid",
        "Tanh",
        "Elu",
        "GELU",
        "HardSwish",
        "SiLU",
        "Softplus",
        "Mish",
    ],
    *[
        "Erf",
        "Abs",
        "Exp",
        "Sqrt",
        "Log",
        "Softsign",
        "Ceil",
        "Round",
        "Sin",
        "Cos",
        "Floor",
        "Softmax",
        "Pow",
        "Scale",
        "BatchNorm",
    ],
    *["AddConst", "SubConst", "MulConst", "MaxConst", "MinConst", "Reciprocal"],
    *["Cast", "Lut", "Active", "MulShift", "RequantInt", "RequantIntAxis"],
)
def _same(node: Node) -> tuple[Shape, ...]:
    return (_in(node),)


@_rule("Add", "Sub", "Mul", "Div", "Max", "Min")
def _elementwise(node: Node) -> tuple[Shape, ...]:
    return (_broadcast(node, [v.shape for v in node.inputs if v is not None]),)


def _window(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1


@_rule("Conv", "Conv2D")
def _conv(node: Node) -> tuple[Shape, ...]:
    n, _, *space = _in(node)
    filters = _in(node, 1)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    dilations = node.ints("dilations", (1,) * len(kernel))
    rank = len(space)
    if len(kernel) != rank:
        raise GraphError(f"{node}: kernel {kernel} on an input of shape {_in(node)}")
    out = tuple(
        _window(space[i], kernel[i], strides[i], pads[i] + pads[i + rank], int(dilations[i]))
        for i in range(rank)
    )
    if min(out) < 1:
        raise GraphError(f"{node}: output size {out} is empty for input {_in(node)}")
    return ((n, filters[0], *out),)


@_rule("Deconv")
def _deconv(node: Node) -> tuple[Shape, ...]:
    n, _, *space = _in(node)
    filters = _in(node, 1)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    rank = len(space)
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


@_rule("AvgPool", "MaxPool", "Pool2D")
def _pool(node: Node) -> tuple[Shape, ...]:
    n, c, *space = _in(node)
    kernel, strides, pads = (node.ints(k) for k in ("kernel_shape", "strides", "pads"))
    rank = len(space)
    if not kernel:  # global
        return ((n, c, *([1] * rank)),)
    if not node.attrs.get("keepdims", True):
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
        raise GraphError(f"{node}: output size {out} is empty for input {_in(node)}")
    return ((n, c, *out),)


@_rule("MatMul")
def _matmul(node: Node) -> tuple[Shape, ...]:
    left, right = _in(node), _in(node, 1)
    if node.attrs.get("left_transpose"):
        left = (*left[:-2], left[-1], left[-2])
    if node.attrs.get("right_transpose"):
        right = (*right[:-2], right[-1], right[-2])
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise GraphError(f"{node}: {left} x {right}: inner sizes differ")
    batch = _broadcast(node, [left[:-2], right[:-2]])
    columns = right[-1:] if len(right) > 1 else ()
    return ((*batch, *left[-2:-1], *columns),)


@_rule("Reduce")
def _reduce(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    axes = {a % len(shape) for a in node.ints("axes")}
    keep = node.flag("keepdims")
    left = tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)
    return (left or (1,),)  # a scalar is one element


@_rule("Arg")
def _arg(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    axis = node.integer("axis") % len(shape)
    keep = node.flag("keepdims")
    one = tuple(1 if i == axis else d for i, d in enumerate(shape) if keep or i != axis)
    return (one,) * len(node.outputs)


@_rule("Reshape")
def _reshape(node: Node) -> tuple[Shape, ...]:
    source = _in(node)
    target = node.ints("shape") if "shape" in node.attrs else source
    dims = [source[i] if d == 0 else int(d) for i, d in enumerate(target)]
    size = math.prod(source)
    if -1 in dims:
        known = -math.prod(dims)
        dims[dims.index(-1)] = size // known if known else 0
    if math.prod(dims) != size:
        raise GraphError(f"{node}: {source} can not become {target}")
    return (tuple(dims),)


@_rule("Flatten")
def _flatten(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    start = node.integer("start_dim") % (len(shape) + 1)
    end = node.integer("end_dim") % len(shape) + 1
    return ((*shape[:start], math.prod(shape[start:end]), *shape[end:]),)


@_rule("Permute")
def _permute(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    return (tuple(shape[i] for i in node.ints("order")),)


@_rule("Squeeze")
def _squeeze(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    axes = {a % len(shape) for a in node.ints("axes")}
    axes = axes or {i for i, d in enumerate(shape) if d == 1}
    return (tuple(d for i, d in enumerate(shape) if i not in axes) or (1,),)


@_rule("Unsqueeze")
def _unsqueeze(node: Node) -> tuple[Shape, ...]:
    axes = node.ints("axes")
    rank = len(_in(node)) + len(axes)
    rest = iter(_in(node))
    fresh = {a % rank for a in axes}
    return (tuple(1 if i in fresh else next(rest) for i in range(rank)),)


@_rule("Concat")
def _concat(node: Node) -> tuple[Shape, ...]:
    shapes = [v.shape for v in node.inputs if isinstance(v, Value)]
    axis = node.integer("axis") % len(shapes[0])
    rests = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
    if len(rests) > 1:
        raise GraphError(f"{node}: shapes {shapes} do not join along axis {axis}")
    return ((*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]),)


@_rule("Split")
def _split(node: Node) -> tuple[Shape, ...]:
    shape = _in(node)
    axis = node.integer("axis") % len(shape)
    return tuple((*shape[:axis], s, *shape[axis + 1 :]) for s in node.ints("split_size"))


@_rule("Slice")
def _slice(node: Node) -> tuple[Shape, ...]:
    shape = list(_in(node))
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    for axis, start, step, end in zip(axes, offset, steps, ends):
        size = shape[axis]
        stop = None if step < 0 and end < -size else end
        shape[axis] = len(range(*slice(start, stop, step).indices(size)))
    return (tuple(shape),)


@_rule("Pad")
def _pad(node: Node) -> tuple[Shape, ...]:
    shape, pads = _in(node), node.ints("paddings")
    return (tuple(d + pads[i] + pads[i + len(shape)] for i, d in enumerate(shape)),)


@_rule("Expand")
def _expand(node: Node) -> tuple[Shape, ...]:
    return (_broadcast(node, [_in(node), node.ints("shape")]),)


@_rule("Tile")
def _tile(node: Node) -> tuple[Shape, ...]:
    shape, tile = _in(node), node.ints("tile")
    padded = (1,) * (len(tile) - len(shape)) + shape
    return (tuple(d * t for d, t in zip(padded, tile)),)


@_rule("Gather")
def _gather(node: Node) -> tuple[Shape, ...]:
    shape, indices = _in(node), _in(node, 1)
    axis = node.integer("axis") % len(shape)
    middle = indices if node.attrs.get("keepdims", True) else ()
    return ((*shape[:axis], *middle, *shape[axis + 1 :]),)


@_rule("Upsample")
def _upsample(node: Node) -> tuple[Shape, ...]:
    n, c, h, w = _in(node)
    return ((n, c, h * node.integer("scale_h"), w * node.integer("scale_w")),)


@_rule("Interp")
def _interp(node: Node) -> tuple[Shape, ...]:
    n, c, h, w = _in(node)
    target = node.inputs[1] if len(node.inputs) > 1 else None
    if target is not None and target.data is not None:
        th, tw = (int(v) for v in target.data.reshape(-1)[-2:])
        return ((n, c, th, tw),)
    scale_h, scale_w = node.number("scale_h"), node.number("scale_w")
    return ((n, c, int(h * scale_h), int(w * scale_w)),)


@_rule("Depth2Space")
def _depth2space(node: Node) -> tuple[Shape, ...]:
    n, c, h, w = _in(node)
    bh, bw = node.integer("block_h"), node.integer("block_w")
    if node.attrs.get("is_inversed"):
        return ((n, c * bh * bw, h // bh, w // bw),)
    return ((n, c // (bh * bw), h * bh, w * bw),)
