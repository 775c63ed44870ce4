"""Float kernels: one small torch function per Top op.

Each takes the node and its operand tensors (None where absent) and returns the outputs. Relu fused
into an op is applied by the runner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from tpuc.errors import UnsupportedError
from tpuc.ir import Node

__all__ = ["KERNELS", "Tensor"]

Tensor = torch.Tensor
Kernel = Callable[..., Any]

KERNELS: dict[str, Kernel] = {}


def _kernel(*ops: str) -> Callable[[Kernel], Kernel]:
    def register(function: Kernel) -> Kernel:
        for op in ops:
            KERNELS[op] = function
        return function

    return register


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "SiLU": F.silu,
    "HardSwish": F.hardswish,
    "Tanh": torch.tanh,
    "Softplus": lambda x: F.softplus(x, threshold=20.0),
    "Mish": F.mish,
    "Erf": torch.erf,
    "Abs": torch.abs,
    "Exp": torch.exp,
    "Sqrt": torch.sqrt,
    "Log": torch.log,
    "Softsign": F.softsign,
    "Ceil": torch.ceil,
    "Floor": torch.floor,
    "Round": torch.round,
    "Sin": torch.sin,
    "Cos": torch.cos,
}
for _name, _function in _UNARY.items():
    KERNELS[_name] = lambda node, x, f=_function: f(x)


def _split_pads(node: Node) -> tuple[list[int], list[int]]:
    pads = list(node.ints("pads"))
    half = len(pads) // 2
    return pads[:half], pads[half:]


def _pad_asymmetric(node: Node, x: Tensor, value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Pad what torch's own symmetric padding can not express; return what it still has to do."""
    begins, ends = _split_pads(node)
    if begins == ends:
        return x, begins
    flat = [p for pair in zip(reversed(begins), reversed(ends)) for p in pair]
    return F.pad(x, flat, value=value), [0] * len(begins)


def _numbers(node: Node, key: str, rank: int) -> list[int]:
    return [int(v) for v in node.attrs.get(key) or (1,) * rank]  # type: ignore[union-attr]


@_kernel("Conv")
def _conv(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank = x.dim() - 2
    x, pads = _pad_asymmetric(node, x)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    strides, dilations = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    return function(x, w, b, strides, pads, dilations, node.integer("group"))


@_kernel("Deconv")
def _deconv(node: Node, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    rank, group = x.dim() - 2, node.integer("group")
    per = w.reshape(group, w.shape[0] // group, *w.shape[1:]).transpose(1, 2)
    turned = per.reshape(-1, w.shape[0] // group, *w.shape[2:])
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d}[rank]
    begins, ends = _split_pads(node)
    extra = [int(v) for v in node.attrs.get("output_padding") or (0,) * rank]  # type: ignore[union-attr]
    strides, dilations = _numbers(node, "strides", rank), _numbers(node, "dilations", rank)
    full = function(x, turned, None, strides, 0, 0, group, dilations)
    grow = [e - p for e, p in zip(extra, ends)]  # behind: add output_padding, cut the pad
    flat = [v for pair in zip([-b for b in reversed(begins)], reversed(grow)) for v in pair]
    out = F.pad(full, flat)
    return out if b is None else out + b.reshape(1, -1, *([1] * rank))


@_kernel("MatMul")
def _matmul(node: Node, x: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    x = x.transpose(-1, -2) if node.attrs["left_transpose"] else x
    right = right.transpose(-1, -2) if node.attrs["right_transpose"] else right
    out = x @ right
    return out if bias is None else out + bias


def _fold(function: Callable[[Tensor, Tensor], Tensor], operands: tuple[Tensor, ...]) -> Tensor:
    out = operands[0]
    for other in operands[1:]:
        out = function(out, other)
    return out


@_kernel("Add")
def _add(node: Node, *operands: Tensor) -> Tensor:
    coeff = node.attrs.get("coeff")
    if coeff:
        operands = tuple(o * float(c) for o, c in zip(operands, coeff))  # type: ignore[arg-type]
    return _fold(torch.add, operands)


@_kernel("Sub")
def _sub(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return y - x if node.attrs["is_reverse"] else x - y


@_kernel("Mul")
def _mul(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.mul, operands)


@_kernel("Div")
def _div(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return y / x if node.attrs["is_reverse"] else x / y


@_kernel("Max")
def _max(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.maximum, operands)


@_kernel("Min")
def _min(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.minimum, operands)


_CONST: dict[str, Callable[[Tensor, float], Tensor]] = {
    "AddConst": lambda x, c: x + c,
    "MulConst": lambda x, c: x * c,
    "MaxConst": lambda x, c: x.clamp(min=c),
    "MinConst": lambda x, c: x.clamp(max=c),
    "Reciprocal": lambda x, c: c / x,
}


@_kernel(*_CONST)
def _with_const(node: Node, x: Tensor) -> Tensor:
    return _CONST[node.op](x, node.number("const_val"))


@_kernel("SubConst")
def _sub_const(node: Node, x: Tensor) -> Tensor:
    c = node.number("const_val")
    return c - x if node.attrs["is_reverse"] else x - c


@_kernel("Scale")
def _scale(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    shape = (1, -1, *([1] * (x.dim() - 2)))
    return x * scale.reshape(shape) + bias.reshape(shape)


@_kernel("BatchNorm")
def _batch_norm(
    node: Node, x: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor
) -> Tensor:
    epsilon = node.number("epsilon")
    return F.batch_norm(x, mean, var, gamma, beta, False, 0.0, epsilon)


@_kernel("Pow")
def _pow(node: Node, x: Tensor) -> Tensor:
    return torch.pow(x, node.number("exponent"))


@_kernel("Relu")
def _relu(node: Node, x: Tensor) -> Tensor:
    limit = node.number("relu_limit")
    return x.clamp(0.0, limit) if limit > 0 else F.relu(x)


@_kernel("Clip")
def _clip(node: Node, x: Tensor) -> Tensor:
    return x.clamp(node.number("min"), node.number("max"))


@_kernel("LeakyRelu")
def _leaky(node: Node, x: Tensor) -> Tensor:
    return F.leaky_relu(x, node.number("alpha"))


@_kernel("PRelu")
def _prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


@_kernel("Sigmoid")
def _sigmoid(node: Node, x: Tensor) -> Tensor:
    scaled = x * node.number("scale") + node.number("bias")
    return F.logsigmoid(scaled) if node.attrs["log"] else torch.sigmoid(scaled)


@_kernel("HardSigmoid")
def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    alpha, beta = node.number("alpha"), node.number("beta")
    return (x * alpha + beta).clamp(0.0, 1.0)


@_kernel("Elu")
def _elu(node: Node, x: Tensor) -> Tensor:
    return F.elu(x, node.number("alpha"))


@_kernel("GELU")
def _gelu(node: Node, x: Tensor) -> Tensor:
    mode = node.attrs["approx_mode"]
    if mode == "sigm":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "tanh" else "none")


@_kernel("Softmax")
def _softmax(node: Node, x: Tensor) -> Tensor:
    axis, beta = node.integer("axis"), node.number("beta")
    function = F.log_softmax if node.attrs["log"] else F.softmax
    return function(x if beta == 1.0 else x * beta, dim=axis)


@_kernel("MaxPool")
def _max_pool(node: Node, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    kernel = list(node.ints("kernel_shape"))
    x, pads = _pad_asymmetric(node, x, float("-inf"))
    if any(2 * p > k for p, k in zip(pads, kernel)):  # torch refuses; pad by hand
        flat = [p for p in reversed(pads) for _ in (0, 1)]
        x, pads = F.pad(x, flat, value=float("-inf")), [0] * rank
    function = {1: F.max_pool1d, 2: F.max_pool2d}[rank]
    out = function(x, kernel, _numbers(node, "strides", rank), pads)
    return out if node.attrs["keepdims"] else out.flatten(1)


@_kernel("AvgPool")
def _avg_pool(node: Node, x: Tensor) -> Tensor:
    rank = x.dim() - 2
    kernel = list(node.ints("kernel_shape"))
    strides = _numbers(node, "strides", rank)
    begins, ends = _split_pads(node)
    function = {1: F.avg_pool1d, 2: F.avg_pool2d}[rank]
    flat = [p for pair in zip(reversed(begins), reversed(ends)) for p in pair]
    padded = F.pad(x, flat) if any(flat) else x
    out = function(padded, kernel, strides)
    if any(flat) and not node.attrs["count_include_pad"]:
        share = function(F.pad(torch.ones_like(x[:1, :1]), flat), kernel, strides)
        out = out / share
    return out if node.attrs["keepdims"] else out.flatten(1)


_REDUCE: dict[str, Callable[..., Tensor]] = {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
    "ReduceL2": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim),
    "ReduceL1": lambda x, dim, keepdim: torch.linalg.vector_norm(x, 1, dim, keepdim),
}


@_kernel("Reduce")
def _reduce(node: Node, x: Tensor) -> Tensor:
    mode, axes = node.text("mode"), list(node.ints("axes"))
    keep = node.flag("keepdims")
    if mode == "ReduceProd":
        for axis in sorted(axes, reverse=True):
            x = x.prod(axis, keepdim=keep)
        return x
    return _REDUCE[mode](x, dim=axes, keepdim=keep)


@_kernel("Arg")
def _arg(node: Node, x: Tensor) -> list[Tensor]:
    axis, keep = node.integer("axis"), node.flag("keepdims")
    pick = torch.argmax if node.attrs["mode"] == "ArgMax" else torch.argmin
    index = pick(x, axis, keepdim=True)
    outs = [index.float(), torch.gather(x, axis, index)]
    return outs if keep else [o.squeeze(axis) for o in outs]


@_kernel("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _view(node: Node, x: Tensor) -> Tensor:
    return x.reshape(node.output.shape)


@_kernel("Permute")
def _permute(node: Node, x: Tensor) -> Tensor:
    return x.permute(list(node.ints("order"))).contiguous()


@_kernel("Concat")
def _concat(node: Node, *operands: Tensor) -> Tensor:
    return torch.cat(operands, node.integer("axis"))


@_kernel("Split")
def _split(node: Node, x: Tensor) -> list[Tensor]:
    sizes = list(node.ints("split_size"))
    return list(torch.split(x, sizes, node.integer("axis")))


@_kernel("Slice")
def _slice(node: Node, x: Tensor, *_: Tensor | None) -> Tensor:
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    for axis, start, step, end in zip(axes, offset, steps, ends):
        size = x.shape[int(axis)]
        picks = range(*slice(int(start), int(end), int(step)).indices(size))
        if int(step) < 0 and int(end) < -size:
            picks = range(*slice(int(start), None, int(step)).indices(size))
        if picks != range(size):
            x = x.index_select(int(axis), torch.tensor(list(picks)))
    return x


@_kernel("Pad")
def _pad(node: Node, x: Tensor) -> Tensor:
    pads = list(node.ints("paddings"))
    rank = len(pads) // 2
    flat = [p for i in reversed(range(rank)) for p in (pads[i], pads[i + rank])]
    mode = node.text("mode")
    if mode == "constant":
        return F.pad(x, flat, value=node.number("val"))
    if any(flat[-4:]) or rank < 3:
        raise UnsupportedError(f"{node}: {mode} padding of batch or channels is not supported")
    return F.pad(x, flat[:-4], mode="replicate" if mode == "edge" else "reflect")


@_kernel("Expand")
def _expand(node: Node, x: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, node.ints("shape"))).contiguous()


@_kernel("Tile")
def _tile(node: Node, x: Tensor) -> Tensor:
    return x.repeat(list(node.ints("tile")))


@_kernel("Gather")
def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.integer("axis") % x.dim()
    picked = x.index_select(axis, indices.reshape(-1).long())
    middle = indices.shape if node.attrs["keepdims"] else ()
    return picked.reshape(*x.shape[:axis], *middle, *x.shape[axis + 1 :])


@_kernel("Upsample")
def _upsample(node: Node, x: Tensor) -> Tensor:
    tall = x.repeat_interleave(node.integer("scale_h"), 2)
    return tall.repeat_interleave(node.integer("scale_w"), 3)


def _source(out: int, size: int, scale: float, coord: str) -> Tensor:
    """Position in the input of each output element, by ONNX's coordinate transformations."""
    i = torch.arange(out, dtype=torch.float64)
    if coord == "align_corners":
        return i * ((size - 1) / (out - 1)) if out > 1 else torch.zeros(out, dtype=torch.float64)
    if coord == "asymmetric":
        return i / scale
    if coord == "pytorch_half_pixel" and out == 1:
        return torch.zeros(1, dtype=torch.float64)
    return (i + 0.5) / scale - 0.5


@_kernel("Interp")
def _interp(node: Node, x: Tensor, target: Tensor | None = None) -> Tensor:
    coord, linear = node.text("coord_mode"), node.attrs["mode"] == "linear"
    for axis in (2, 3):
        size, out = x.shape[axis], node.output.shape[axis]
        given = float(node.attrs["scale_h" if axis == 2 else "scale_w"])  # type: ignore[arg-type]
        at = _source(out, size, given if given > 0 else out / size, coord)
        if linear:
            at = at.clamp(0, size - 1)
            low = at.floor().long()
            high = (low + 1).clamp(max=size - 1)
            shape = [-1 if a == axis else 1 for a in range(4)]
            part = (at - low).to(x.dtype).reshape(shape)
            x = x.index_select(axis, low) * (1 - part) + x.index_select(axis, high) * part
        else:  # asymmetric rounds down, others to the nearest with halves down
            index = at.floor() if coord == "asymmetric" else (at - 0.5).ceil()
            x = x.index_select(axis, index.long().clamp(0, size - 1))
    return x


@_kernel("Depth2Space")
def _depth2space(node: Node, x: Tensor) -> Tensor:
    (n, c, h, w), bh, bw = x.shape, node.integer("block_h"), node.integer("block_w")
    if node.attrs["is_inversed"]:
        order = (0, 1, 3, 5, 2, 4) if node.attrs["is_CRD"] else (0, 3, 5, 1, 2, 4)
        x = x.reshape(n, c, h // bh, bh, w // bw, bw).permute(order)
        return x.reshape(n, -1, h // bh, w // bw)
    if node.attrs["is_CRD"]:
        parts = x.reshape(n, c // (bh * bw), bh, bw, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(n, bh, bw, c // (bh * bw), h, w).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // (bh * bw), h * bh, w * bw)
