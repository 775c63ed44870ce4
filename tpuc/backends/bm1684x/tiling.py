"""Cutting an op into parts that fit local memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tpuc.backends.bm1684x.command import LANE_BYTES, LANES
from tpuc.backends.bm1684x.places import LONGEST

__all__ = [
    "Axis",
    "Band",
    "Tile",
    "Window",
    "axes_of",
    "band_of",
    "choose_tile",
    "cut",
    "reach",
    "tiles_of",
]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """What slides over a picture: (h, w) each; pads are top, left, bottom, right.

    Pixels of the picture lie `spread` apart, zeros between them.
    """

    kernel: Pair
    strides: Pair = (1, 1)
    dilations: Pair = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    spread: Pair = (1, 1)


@dataclass(frozen=True)
class Axis:
    """One axis of a window op."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    before: int
    spread: int = 1


@dataclass(frozen=True)
class Band:
    """Results `first` to `last` of an axis, the inputs that they read, and padding around those."""

    first: int
    last: int
    start: int
    stop: int
    before: int
    after: int


@dataclass(frozen=True)
class Tile:
    """Channels (a multiple of 64), rows and columns of the result of one part."""

    channels: int
    h: int
    w: int


def axes_of(window: Window, size: Pair, out: Pair) -> tuple[Axis, Axis]:
    """Both axes of a window op."""
    h, w = (
        Axis(
            size[i],
            out[i],
            window.kernel[i],
            window.strides[i],
            window.dilations[i],
            window.pads[i],
            window.spread[i],
        )
        for i in (0, 1)
    )
    return h, w


def band_of(axis: Axis, first: int, last: int) -> Band:
    """What results `first` to `last` read; what lies outside of the axis is padding."""
    start = first * axis.stride - axis.before
    stop = (last - 1) * axis.stride - axis.before + (axis.kernel - 1) * axis.dilation + 1
    low = max(-(-start // axis.spread), 0)
    high = min((stop - 1) // axis.spread + 1, axis.size)
    after = stop - 1 - (high - 1) * axis.spread
    return Band(first, last, low, high, low * axis.spread - start, after)


def cut(axis: Axis, length: int) -> Iterator[Band]:
    """Bands of at most `length` results."""
    for first in range(0, axis.out, length):
        yield band_of(axis, first, min(first + length, axis.out))


def tiles_of(batch: int, axes: tuple[Axis, Axis], tile: Tile) -> Iterator[tuple[int, Band, Band]]:
    """(n, rows, columns) of all parts of a result."""
    for n in range(batch):
        for h in cut(axes[0], tile.h):
            for w in cut(axes[1], tile.w):
                yield n, h, w


def reach(axis: Axis, length: int) -> int:
    """Most inputs that a band of `length` results reads."""
    whole = (length - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
    return min(-(-whole // axis.spread), axis.size)


def choose_tile(
    channels: int,
    axes: tuple[Axis, Axis],
    size: Callable[[int, int, int, Pair], int],
    room: int = LANE_BYTES,
) -> Tile | None:
    """The tile that needs the fewest parts; among equals the one with the most channels.

    Parts take half of the room if that is possible, so that one can be loaded while another is
    computed. None if not even 64 channels of one pixel fit.

    Parameters
    ----------
    size : function of channels, h, w of the result and (h, w) of the input
        Bytes of each lane.
    room : int
        Bytes that each lane has.
    """
    found = _tile(channels, axes, size, room)
    if found is None or _count(found, channels, axes) == 1:
        return found
    return _tile(channels, axes, size, room // 2) or found


def _count(tile: Tile, channels: int, axes: tuple[Axis, Axis]) -> int:
    parts = -(-channels // tile.channels)
    return parts * -(-axes[0].out // tile.h) * -(-axes[1].out // tile.w)


def _tile(
    channels: int,
    axes: tuple[Axis, Axis],
    size: Callable[[int, int, int, Pair], int],
    room: int,
) -> Tile | None:
    best: tuple[int, Tile] | None = None
    h_axis, w_axis = axes

    def need(some: int, h: int, w: int) -> int:
        inner = reach(h_axis, h), reach(w_axis, w)
        return size(some, h, w, inner) if max(h, w, *inner) <= LONGEST else room + 1

    for groups in range(-(-channels // LANES), 0, -1):
        for w in _halves(w_axis.out):
            h = _most(h_axis.out, partial(need, min(groups * LANES, channels)), (w, room))
            if h:
                tile = Tile(groups * LANES, h, w)
                count = _count(tile, channels, axes)
                if best is None or count < best[0]:
                    best = count, tile
                break
    return None if best is None else best[1]


def _halves(length: int) -> list[int]:
    found = [length]
    while found[-1] > 1:
        found.append(-(-found[-1] // 2))
    return found


def _most(limit: int, size: Callable[[int, int], int], at: Pair) -> int:
    """Largest h from 1 to `limit` that fits, or 0; sizes grow with h."""
    (w, room), low, high = at, 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(middle, w) <= room else (low, middle - 1)
    return low
