"""Ops that move integers and change none."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.registry import clip, kernel

__all__ = ["nearest_pixels"]


@kernel("Concat", stored=True)
def _concat(node: Node, *operands: np.ndarray) -> np.ndarray:
    joined = np.concatenate([o.astype(np.int64) for o in operands], node.integer("axis"))
    return clip(node, joined)


@kernel("Reshape", "Squeeze", "Unsqueeze", stored=True)
def _view(node: Node, x: np.ndarray) -> np.ndarray:
    return x.reshape(node.output.shape)


@kernel("Permute", stored=True)
def _permute(node: Node, x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.transpose(node.ints("order")))


@kernel("Slice", stored=True)
def _slice(node: Node, x: np.ndarray, *_: object) -> np.ndarray:
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    axes = node.ints("axes") or tuple(range(len(offset)))
    index: list[slice] = [slice(None)] * x.ndim
    for axis, start, step, end in zip(axes, offset, steps, ends):
        stop = None if step < 0 and end < -x.shape[axis] else end
        index[axis] = slice(start, stop, step)
    return np.ascontiguousarray(x[tuple(index)])


@kernel("Tile", stored=True)
def _tile(node: Node, x: np.ndarray) -> np.ndarray:
    return np.tile(x, node.ints("tile"))


@kernel("Pad", stored=True)
def _pad(node: Node, x: np.ndarray) -> np.ndarray:
    pads = node.ints("paddings")
    widths = list(zip(pads[: x.ndim], pads[x.ndim :]))
    mode = node.text("mode")
    if mode == "constant":
        low, high = node.output.dtype.qrange
        return np.pad(x, widths, constant_values=int(np.clip(node.number("val"), low, high)))
    return np.pad(x, widths, mode="edge" if mode == "edge" else "reflect")


@kernel("Upsample", stored=True)
def _upsample(node: Node, x: np.ndarray) -> np.ndarray:
    wide = x.repeat(node.integer("scale_h"), 2).repeat(node.integer("scale_w"), 3)
    return clip(node, wide) if node.attrs["do_relu"] else wide


@kernel("Interp", stored=True)
def _nearest(node: Node, x: np.ndarray) -> np.ndarray:
    rows, columns = (nearest_pixels(node, axis) for axis in (2, 3))
    return np.ascontiguousarray(x[:, :, rows][:, :, :, columns])


def nearest_pixels(node: Node, axis: int) -> np.ndarray:
    """Where each pixel of a nearest Interp along an axis is from."""
    value = node.inputs[0]
    assert value is not None
    size, out = value.shape[axis], node.output.shape[axis]
    scale = float(np.float32(size) / np.float32(out))
    i = np.arange(out)
    if node.text("coord_mode") == "asymmetric":
        return np.floor(i.astype(np.float32) * np.float32(scale)).astype(int).clip(0, size - 1)
    return np.ceil((i + 0.5) * scale - 1.0).astype(int).clip(0, size - 1)


@kernel("SwapDimInner", stored=True)
def _swap_dim_inner(node: Node, x: np.ndarray) -> np.ndarray:
    return np.roll(x, [-o for o in node.ints("offset")], tuple(range(x.ndim)))


@kernel("Depth2Space", stored=True)
def _depth2space(node: Node, x: np.ndarray) -> np.ndarray:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    if not node.attrs.get("in_is_NCHW", True):
        n, h, w, c = x.shape
        order = (0, 1, 3, 4, 2, 5) if node.flag("swap_cr") else (0, 1, 3, 2, 4, 5)
        parts = x.reshape(n, h // bh, bh, w // bw, bw, c).transpose(order)
        return np.ascontiguousarray(parts.reshape(n, h // bh, w // bw, -1))
    n, c, h, w = x.shape
    if node.attrs["is_inversed"]:
        order = (0, 1, 3, 5, 2, 4) if node.attrs["is_CRD"] else (0, 3, 5, 1, 2, 4)
        parts = x.reshape(n, c, h // bh, bh, w // bw, bw).transpose(order)
        return parts.reshape(n, c * bh * bw, h // bh, w // bw)
    if node.attrs["is_CRD"]:
        parts = x.reshape(n, c // (bh * bw), bh, bw, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(n, bh, bw, c // (bh * bw), h, w).transpose(0, 3, 4, 1, 5, 2)
    return np.ascontiguousarray(parts.reshape(n, c // (bh * bw), h * bh, w * bw))
