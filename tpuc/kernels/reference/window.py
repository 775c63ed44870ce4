"""Ops that slide a window over a picture: convolutions and pools."""

from __future__ import annotations

from typing import Any

import numpy as np

from tpuc.ir import DType, Node
from tpuc.ir.shapes import infer_shapes
from tpuc.kernels.reference.arithmetic import scaled
from tpuc.kernels.reference.registry import clip, finish, kernel, zero_point
from tpuc.numerics.rounding import round_away, shift_half_up

__all__ = ["conv_sums"]


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


@kernel("Conv2D")
def _conv(node: Node, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    sums = conv_sums(node, x, w, b)
    if node.output.dtype == DType.SI32:
        return sums.astype(np.int32)
    shape = (1, -1, *([1] * (sums.ndim - 2)))
    m = np.array(node.attrs["multiplier"], np.int64).reshape(shape)
    r = np.array(node.attrs["rshift"], np.int64).reshape(shape)
    return finish(node, scaled(node, sums, m, r))


@kernel("Deconv")
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


@kernel("Pool2D")
def _pool(node: Node, x: np.ndarray) -> np.ndarray:
    if x.ndim == 3:
        flat = Node(node.op, node.inputs, node.outputs, _as_2d(node))
        return _pool(flat, x[:, :, None])[:, :, 0]
    if node.attrs["pool_mode"] == "Max":
        y = _windows(node, x, -(2**31)).max(axis=(4, 5))
        y = finish(node, y)
    elif node.attrs.get("scale") is not None:
        y = _affine_average(node, x)
    else:
        sums = _windows(node, x, 0).sum(axis=(4, 5))
        area = int(np.prod(node.ints("kernel_shape")))
        if node.attrs["count_include_pad"] or not any(node.ints("pads")):
            v = sums
        else:
            share = _windows(node, np.ones_like(x[:1, :1]), 0).sum(axis=(4, 5))
            whole = (sums / share).astype(np.float32) * np.float32(area)
            up = node.attrs.get("round_mode") == "HalfUp"
            v = (np.floor(whole + 0.5) if up else round_away(whole)).astype(np.int64)
        y = finish(node, shift_half_up(v * node.integer("multiplier"), node.integer("rshift")))
    return y if node.attrs["keepdims"] else y[:, :, 0, 0]


def _affine_average(node: Node, x: np.ndarray) -> np.ndarray:
    """From the float32 mean of stored integers; padding counts, as zeros, in any case."""
    zero = zero_point(node.inputs[0])
    area = float(np.prod(node.ints("kernel_shape")))
    sums = _windows(node, x.astype(np.int64) + zero, zero).sum(axis=(4, 5))
    mean = (sums / area).astype(np.float32).astype(np.float64)
    return clip(node, round_away(mean * area * node.number("scale") + node.number("offset")))
