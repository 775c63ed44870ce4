"""Integer ops of Graph[tpu] in numpy: slow, obvious, and the definition of the arithmetic.

Every function takes the node and its operands as stored integers and returns the stored result.
`>>` is a rounding shift: half up unless the node says half away from zero. Sums are exact: int64,
or float64 below 2**53.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tpuc.ir import Node, Value
from tpuc.ir.shapes import infer_shapes
from tpuc.numerics.rounding import round_away, shift_half_away, shift_half_up

__all__ = ["INTEGER_KERNELS", "conv_sums", "finish"]

Kernel = Callable[..., np.ndarray]

INTEGER_KERNELS: dict[str, Kernel] = {}


def _kernel(*ops: str) -> Callable[[Kernel], Kernel]:
    def register(function: Kernel) -> Kernel:
        for op in ops:
            INTEGER_KERNELS[op] = function
        return function

    return register


def finish(node: Node, y: np.ndarray, out: Value | None = None) -> np.ndarray:
    """Fused relu, then saturation to the output's type."""
    value = out or node.output
    low, high = value.dtype.qrange
    if node.attrs.get("do_relu"):
        low = max(low, 0)
    return np.clip(y, low, high).astype(value.dtype.numpy)


def _windows(node: Node, x: np.ndarray, fill: int) -> np.ndarray:
    """(N, C, OH, OW, KH, KW) view of all windows of a padded picture, in int64."""
    kh, kw = node.ints("kernel_shape")
    sh, sw = node.ints("strides")
    top, left, bottom, right = node.ints("pads")
    dh, dw = node.ints("dilations", (1, 1))
    padded = np.pad(
        x.astype(np.int64), ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill
    )
    reach = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, (2, 3))
    return view[:, :, ::sh, ::sw, ::dh, ::dw]


def conv_sums(node: Node, x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """sum(x * w) + b over each window, int64, for one or two spatial dimensions."""
    if x.ndim == 3:
        flat = Node(node.op, node.inputs, node.outputs, _as_2d(node))
        return conv_sums(flat, x[:, :, None], w[:, :, None], b)[:, :, 0]
    group = node.integer("group")
    windows = _windows(node, x, 0)
    n, c, oh, ow = windows.shape[:4]
    parts = []
    per_in, per_out = c // group, w.shape[0] // group
    for g in range(group):
        patch = windows[:, g * per_in : (g + 1) * per_in].astype(np.float64)
        filters = w[g * per_out : (g + 1) * per_out].reshape(per_out, -1).astype(np.float64)
        columns = patch.transpose(0, 2, 3, 1, 4, 5).reshape(n, oh, ow, -1)
        parts.append((columns @ filters.T).transpose(0, 3, 1, 2))
    sums = np.concatenate(parts, axis=1).astype(np.int64)
    return sums if b is None else sums + b.reshape(1, -1, 1, 1).astype(np.int64)


def _as_2d(node: Node) -> dict[str, Any]:
    """Attributes of a one-dimensional window op, written for two dimensions."""
    attrs: dict[str, Any] = dict(node.attrs)
    for key in ("kernel_shape", "strides", "dilations"):
        if attrs.get(key):
            attrs[key] = (1, *attrs[key])
    if attrs.get("pads"):
        begin, end = attrs["pads"]
        attrs["pads"] = (0, begin, 0, end)
    return attrs


@_kernel("Conv2D")
def _conv(node: Node, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    sums = conv_sums(node, x, w, b)
    shape = (1, -1, *([1] * (sums.ndim - 2)))
    m = np.array(node.attrs["multiplier"], np.int64).reshape(shape)
    r = np.array(node.attrs["rshift"], np.int64).reshape(shape)
    return finish(node, shift_half_up(sums * m, r))


@_kernel("Deconv")
def _deconv(node: Node, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Every input pixel adds its filter-weighted square to the output; int32 result."""
    kh, kw = node.ints("kernel_shape")
    sh, sw = node.ints("strides")
    dh, dw = tuple(int(d) for d in node.attrs.get("dilations") or (1, 1))  # type: ignore[union-attr]
    top, left = node.ints("pads")[:2]
    group = node.integer("group")
    n, c, h, width = x.shape
    oc = w.shape[0]
    tall, wide = (h - 1) * sh + dh * (kh - 1) + 1, (width - 1) * sw + dw * (kw - 1) + 1
    full = np.zeros((n, oc, tall, wide), np.int64)
    per_in, per_out = c // group, oc // group
    for g in range(group):
        source = x[:, g * per_in : (g + 1) * per_in].astype(np.int64)
        target = slice(g * per_out, (g + 1) * per_out)
        for i in range(kh):
            for j in range(kw):
                tap = w[target, :, i, j].astype(np.int64)
                rows = slice(i * dh, i * dh + (h - 1) * sh + 1, sh)
                columns = slice(j * dw, j * dw + (width - 1) * sw + 1, sw)
                full[:, target, rows, columns] += np.einsum("nchw,oc->nohw", source, tap)
    oh, ow = infer_shapes(node)[0][2:]
    out = np.zeros((n, oc, oh, ow), np.int64)
    cut = full[:, :, top : top + oh, left : left + ow]
    out[:, :, : cut.shape[2], : cut.shape[3]] = cut
    return (out if b is None else out + b.reshape(1, -1, 1, 1)).astype(np.int32)


@_kernel("RequantIntAxis")
def _requant_axis(node: Node, x: np.ndarray, words: np.ndarray) -> np.ndarray:
    shape = (1, -1, *([1] * (x.ndim - 2)))
    m, r, zero = (words[:, i].astype(np.int64).reshape(shape) for i in range(3))
    return finish(node, shift_half_away(x.astype(np.int64) * m, r) + zero)


@_kernel("MatMul")
def _matmul(node: Node, x: np.ndarray, y: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    x = np.swapaxes(x, -1, -2) if node.attrs["left_transpose"] else x
    y = np.swapaxes(y, -1, -2) if node.attrs["right_transpose"] else y
    sums = (x.astype(np.float64) @ y.astype(np.float64)).astype(np.int64)
    sums = sums if b is None else sums + b.astype(np.int64)
    m, r = node.ints("multipliers")[0], node.ints("rshifts")[0]
    return finish(node, shift_half_away(sums * m, r))


@_kernel("Add")
def _add(node: Node, *operands: np.ndarray) -> np.ndarray:
    total: Any = 0
    for x, m, r in zip(operands, node.ints("multipliers"), node.ints("rshifts")):
        total = total + shift_half_up(x.astype(np.int64) * m, r)
    return finish(node, total)


@_kernel("Mul")
def _mul(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * y.astype(np.int64) * node.integer("multiplier")
    return finish(node, shift_half_up(product, node.integer("rshift")))


@_kernel("MulShift")
def _mul_shift(node: Node, x: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * node.integer("multiplier")
    return finish(node, shift_half_up(product, node.integer("rshift")))


@_kernel("AddConst")
def _add_const(node: Node, x: np.ndarray) -> np.ndarray:
    total = x.astype(np.int64) * node.integer("multiplier") + int(node.number("const_val"))
    return finish(node, shift_half_up(total, node.integer("rshift")))


@_kernel("SubConst")
def _sub_const(node: Node, x: np.ndarray) -> np.ndarray:
    total = x.astype(np.int64) * node.integer("multiplier") - int(node.number("const_val"))
    total = -total if node.attrs["is_reverse"] else total
    return finish(node, shift_half_up(total, node.integer("rshift")))


@_kernel("Max")
def _max(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return finish(node, np.maximum(x.astype(np.int64), y.astype(np.int64)))


@_kernel("Min")
def _min(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return finish(node, np.minimum(x.astype(np.int64), y.astype(np.int64)))


@_kernel("MaxConst")
def _max_const(node: Node, x: np.ndarray) -> np.ndarray:
    return finish(node, np.maximum(x.astype(np.int64), int(node.number("const_val"))))


@_kernel("MinConst")
def _min_const(node: Node, x: np.ndarray) -> np.ndarray:
    return finish(node, np.minimum(x.astype(np.int64), int(node.number("const_val"))))


@_kernel("Pool2D")
def _pool(node: Node, x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        flat = Node(node.op, node.inputs, node.outputs, _as_2d(node))
        return _pool(flat, x[:, :, None])[:, :, 0]
    if node.attrs["pool_mode"] == "Max":
        y = _windows(node, x, -(2**31)).max(axis=(4, 5))
    else:
        sums = _windows(node, x, 0).sum(axis=(4, 5))
        area = int(np.prod(node.ints("kernel_shape")))
        if node.attrs["count_include_pad"] or not any(node.ints("pads")):
            v = sums
        else:
            share = _windows(node, np.ones_like(x[:1, :1]), 0).sum(axis=(4, 5))
            mean = (sums / share).astype(np.float32)
            v = round_away(mean * np.float32(area)).astype(np.int64)
        y = shift_half_up(v * node.integer("multiplier"), node.integer("rshift"))
    y = finish(node, y)
    return y if node.attrs["keepdims"] else y[:, :, 0, 0]


@_kernel("Lut")
def _lut(node: Node, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.asarray(table.reshape(-1)[x.view(np.uint8)])


@_kernel("Relu")
def _relu(node: Node, x: np.ndarray) -> np.ndarray:
    return finish(node, np.maximum(x.astype(np.int64), 0))


@_kernel("LeakyRelu")
def _leaky(node: Node, x: np.ndarray) -> np.ndarray:
    scaled = shift_half_up(x.astype(np.int64) * node.integer("multiplier"), node.integer("rshift"))
    return finish(node, np.where(x >= 0, x.astype(np.int64), scaled))


@_kernel("PRelu")
def _prelu(node: Node, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    scaled = shift_half_up(x.astype(np.int64) * slope.astype(np.int64), node.integer("rshift"))
    return finish(node, np.where(x >= 0, x.astype(np.int64), scaled))


@_kernel("Active")
def _abs(node: Node, x: np.ndarray) -> np.ndarray:
    if node.attrs["mode"] != "ABSVAL":
        raise NotImplementedError(f"{node}: {node.attrs['mode']} has no integer form")
    return finish(node, np.abs(x.astype(np.int64)))


@_kernel("Softmax")
def _softmax(node: Node, x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Over channels, in float32: e[max - x] / (sum * s_out), summed in channel order."""
    wide = x.astype(np.int64)
    e = table.reshape(-1)[wide.max(axis=1, keepdims=True) - wide].astype(np.float32)
    total = np.zeros_like(e[:, :1])
    for channel in range(e.shape[1]):
        total[:, 0] += e[:, channel]
    assert node.output.quant is not None
    scaled = e / (total * np.float32(node.output.quant.scale))
    return finish(node, round_away(scaled).astype(np.int64))


@_kernel("Concat")
def _concat(node: Node, *operands: np.ndarray) -> np.ndarray:
    joined = np.concatenate([o.astype(np.int64) for o in operands], node.integer("axis"))
    return finish(node, joined)


@_kernel("Reshape", "Squeeze", "Unsqueeze")
def _view(node: Node, x: np.ndarray) -> np.ndarray:
    return x.reshape(node.output.shape)


@_kernel("Permute")
def _permute(node: Node, x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(node.ints("order")))


@_kernel("Slice")
def _slice(node: Node, x: np.ndarray, *_: object) -> np.ndarray:
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    index: list[slice] = [slice(None)] * x.ndim
    for axis, start, step, end in zip(axes, offset, steps, ends):
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return np.ascontiguousarray(x[tuple(index)])


@_kernel("Tile")
def _tile(node: Node, x: np.ndarray) -> np.ndarray:
    return np.tile(x, node.ints("tile"))


@_kernel("Pad")
def _pad(node: Node, x: np.ndarray) -> np.ndarray:
    pads = node.ints("paddings")
    widths = list(zip(pads[: x.ndim], pads[x.ndim :]))
    mode = node.text("mode")
    if mode == "constant":
        low, high = node.output.dtype.qrange
        return np.pad(x, widths, constant_values=int(np.clip(node.number("val"), low, high)))
    return np.pad(x, widths, mode="edge" if mode == "edge" else "reflect")


@_kernel("Upsample")
def _upsample(node: Node, x: np.ndarray) -> np.ndarray:
    return x.repeat(node.integer("scale_h"), 2).repeat(node.integer("scale_w"), 3)


@_kernel("Depth2Space")
def _depth2space(node: Node, x: np.ndarray) -> np.ndarray:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    n, c, h, w = x.shape
    if node.attrs["is_inversed"]:
        parts = x.reshape(n, c, h // bh, bh, w // bw, bw).transpose(0, 3, 5, 1, 2, 4)
        return parts.reshape(n, c * bh * bw, h // bh, w // bw)
    if node.attrs["is_CRD"]:
        parts = x.reshape(n, c // (bh * bw), bh, bw, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(n, bh, bw, c // (bh * bw), h, w).transpose(0, 3, 4, 1, 5, 2)
    return np.ascontiguousarray(parts.reshape(n, c // (bh * bw), h * bh, w * bw))
