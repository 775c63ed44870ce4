"""What ops that only move numbers copy, as pairs of strided views.

Each function takes the node and arrays of its operand and result, and returns (from, to) pairs of
equal shapes that together fill the result. The arrays' first dimension may be a multiple of the
node's own: `with_batch` lets only ops through for which that is the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.movement import nearest_pixels
from tpuc.kernels.requant_words import Unfit
from tpuc.kernels.strided import common_split, split_axes

__all__ = ["MOVES", "Pairs"]

Pairs = list[tuple[np.ndarray, np.ndarray]]


def _permute(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    return [(x.transpose(node.ints("order")), y)]


def _reshape(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    before, after = common_split(x.shape, y.shape)
    x, y = split_axes(x, before), split_axes(y, after)
    return [(x.squeeze(), y.squeeze())]


def _slice(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    index: list[slice] = [slice(None)] * x.ndim
    for axis, start, step, end in zip(
        node.ints("axes") or tuple(range(len(offset))), offset, steps, ends
    ):
        if x.shape[axis] == y.shape[axis]:  # the whole axis; the batch may be wider than the node's
            index[axis] = slice(None, None, -1 if step < 0 else 1)
            continue
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return [(x[tuple(index)], y)]


def _tile(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    counts = node.ints("tile")
    if len(counts) != x.ndim:
        raise Unfit(f"{len(counts)} counts for a tensor of rank {x.ndim}")
    parts = split_axes(y, tuple(zip(counts, x.shape)))
    once = np.expand_dims(x, tuple(range(0, 2 * x.ndim, 2)))
    return [(np.broadcast_to(once, parts.shape), parts)]


def _upsample(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    n, c, h, w = x.shape
    tall, wide = node.integer("scale_h"), node.integer("scale_w")
    parts = split_axes(y, ((n,), (c,), (h, tall), (w, wide)))
    return [(np.broadcast_to(x[:, :, :, None, :, None], parts.shape), parts)]


def _depth2space(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    if not node.attrs.get("in_is_NCHW", True):
        return _join_patches(node, x, y)
    small, large = (y, x) if node.attrs["is_inversed"] else (x, y)
    n, c, h, w = small.shape
    deep = c // (bh * bw)
    crd = bool(node.attrs["is_CRD"])
    channels = (deep, bh, bw) if crd else (bh, bw, deep)
    low = split_axes(small, ((n,), channels, (h,), (w,)))
    low = low.transpose((0, 1, 4, 2, 5, 3) if crd else (0, 3, 4, 1, 5, 2))
    high = split_axes(large, ((n,), (deep,), (h, bh), (w, bw)))
    return [(high, low) if node.attrs["is_inversed"] else (low, high)]


def _join_patches(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    """Channels last: blocks of neighbours side by side, column by column with `swap_cr`."""
    if not node.attrs["is_inversed"] or node.attrs["is_CRD"] or node.attrs["out_is_NCHW"]:
        raise Unfit("channels are last, and it takes no blocks together")
    bh, bw = node.integer("block_h"), node.integer("block_w")
    n, h, w, _ = y.shape
    c = x.shape[3]
    parts = split_axes(x, ((n,), (h, bh), (w, bw), (c,)))
    if node.attrs["swap_cr"]:
        return [(parts.transpose(0, 1, 3, 4, 2, 5), split_axes(y, ((n,), (h,), (w,), (bw, bh, c))))]
    return [(parts.transpose(0, 1, 3, 2, 4, 5), split_axes(y, ((n,), (h,), (w,), (bh, bw, c))))]


def _swap_dim_inner(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    """Axes turned: what lies before the offset goes behind the rest."""
    axes = []
    for size, offset in zip(x.shape, node.ints("offset"), strict=True):
        first = offset % size
        ends = [(slice(0, size - first), slice(first, size))]  # of a wider batch too: offset 0
        axes.append(ends + [(slice(size - first, size), slice(0, first))] * (first > 0))
    if len(axes[0]) > 1:
        raise Unfit("it turns the batch")
    return [(x[tuple(s for _, s in p)], y[tuple(t for t, _ in p)]) for p in product(*axes)]


Piece = tuple[slice, slice | None]
"""Where in the result, and where in the operand (None: the constant)."""


def _pieces(size: int, low: int, high: int, mode: str) -> Iterator[Piece]:
    """An axis with `low` numbers put before it and `high` behind."""
    if low < 0 or high < 0:
        raise Unfit("it cuts instead of padding")
    if mode not in ("constant", "edge") and max(low, high) >= size:
        raise Unfit(f"it reflects {max(low, high)} of {size}")
    yield slice(low, low + size), slice(None)
    before, behind = slice(0, low), slice(low + size, low + size + high)
    if mode == "constant":
        sources: list[slice | None] = [None, None]
    elif mode == "edge":
        sources = [slice(0, 1), slice(size - 1, size)]
    else:
        sources = [slice(low, 0, -1), _backward(size - 2, high)]
    for width, place, source in zip((low, high), (before, behind), sources):
        if width:
            yield place, source


def _backward(first: int, count: int) -> slice:
    last = first - count
    return slice(first, last if last >= 0 else None, -1)


def _pad(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    pads, mode = node.ints("paddings"), node.text("mode")
    if pads[0] or pads[x.ndim]:
        raise Unfit("it pads the batch")
    axes = [_pieces(x.shape[i], pads[i], pads[i + x.ndim], mode) for i in range(x.ndim)]
    found: Pairs = []
    for pieces in product(*axes):
        part = y[tuple(place for place, _ in pieces)]
        picked = [source for _, source in pieces]
        chosen = tuple(s for s in picked if s is not None)
        source = _padding(node, y) if len(chosen) < len(picked) else x[chosen]
        found.append((np.broadcast_to(source, part.shape), part))
    return found


def _padding(node: Node, y: np.ndarray) -> np.ndarray:
    """The constant, as it is stored in images."""
    value, kind = node.number("val"), node.output.dtype
    if kind.is_float:
        return np.array(value, np.float32)
    low, high = kind.qrange
    return np.array(int(np.clip(value, low, high)) - min(low, 0), np.uint8)


def _nearest(node: Node, x: np.ndarray, y: np.ndarray) -> Pairs:
    """Pixels that are equally far from one another, phase by phase of both axes."""
    if node.attrs["mode"] != "nearest" or node.output.dtype.is_float:
        raise Unfit("it interpolates")
    rows, columns = (_phases(nearest_pixels(node, a), x.shape[a]) for a in (2, 3))
    return [
        (x[:, :, above, left], y[:, :, below, right])
        for (above, below), (left, right) in product(rows, columns)
    ]


def _phases(pixels: np.ndarray, size: int) -> list[tuple[slice, slice]]:
    """(from, to) of the pixels of an axis that repeat their pattern."""
    shared = math.gcd(size, len(pixels))
    many, step = len(pixels) // shared, size // shared
    found = []
    for phase in range(many):
        here = pixels[phase::many]
        if np.any(np.diff(here) != step):
            raise Unfit("its pixels are not evenly spaced")
        found.append((slice(int(here[0]), None, step), slice(phase, None, many)))
    return found


MOVES: dict[str, Callable[[Node, np.ndarray, np.ndarray], Pairs]] = {
    "Permute": _permute,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Slice": _slice,
    "Tile": _tile,
    "Pad": _pad,
    "Upsample": _upsample,
    "Interp": _nearest,
    "Depth2Space": _depth2space,
    "SwapDimInner": _swap_dim_inner,
}
