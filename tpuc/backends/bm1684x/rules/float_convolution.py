"""Convolutions in floats.

conv, F16 and BF16:  y = round(sum(x * w) + bias), the sum without rounding in between
conv, F32:           the same, every step rounded to float32
depthwise:           in float32 for all types, rounded once at the end

A lane's coefficients: biases, 4 bytes for each row of channels; filters (conv: 64 bytes of input
channels side by side, zeros behind the last, float32 plain; depthwise: plain float32).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, Element, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.floats import stored
from tpuc.backends.bm1684x.rules.in_groups import in_groups, only_part
from tpuc.backends.bm1684x.rules.rule import (
    InBands,
    Step,
    near,
    no_room,
    rows_of_window,
    shape_of,
    why_not_floats,
    why_not_window,
    window_of,
)
from tpuc.backends.bm1684x.tiling import (
    Axis,
    Band,
    Tile,
    Window,
    axes_of,
    choose_tile,
    reach,
    tiles_of,
)
from tpuc.ir import DType, Node

__all__ = ["RULES", "Part", "biases_of", "emit_part", "limits_of", "whole", "why_not_weights"]

_INTERLEAVE = {2: 32, 4: 1}  # input channels side by side, by bytes
Pads = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """A convolution of one group, or a depthwise one; all of it in global memory."""

    source: Remote
    target: Remote
    batch: int
    channels: int  # of the input
    dtype: DType
    element: Element
    axes: tuple[Axis, Axis]
    window: Window
    filters: np.ndarray  # (O, I, KH, KW); depthwise (C, 1, KH, KW)
    biases: np.ndarray  # (O,)
    limits: tuple[float, float | None] | None

    @property
    def is_depthwise(self) -> bool:
        return self.filters.shape[1] == 1 and self.channels == len(self.filters) > 1

    @property
    def taps(self) -> int:
        return int(self.filters.shape[2] * self.filters.shape[3])


def _head(rows: int) -> int:
    """Bytes of a lane before its filters."""
    return up(4 * rows)


def _pack(part: Part, some: slice) -> np.ndarray:
    """(lanes, bytes): the coefficients of some output channels."""
    filters, biases = part.filters[some], part.biases[some]
    count, depth = filters.shape[:2]
    rows = -(-count // LANES)
    side = 1 if part.is_depthwise else _INTERLEAVE[part.element.size]
    kind = DType.F32 if part.is_depthwise else part.dtype
    padded = np.zeros((rows * LANES, up(depth, side), part.taps), np.float32)
    padded[:count, :depth] = filters.reshape(count, depth, part.taps)
    plain = padded.reshape(rows, LANES, -1, side, part.taps).transpose(1, 0, 2, 4, 3)
    kernels = np.ascontiguousarray(stored(plain.reshape(LANES, -1), kind)).view(np.uint8)
    every = np.zeros(rows * LANES, "<f4")
    every[:count] = biases
    head = _head(rows)
    block = np.zeros((LANES, up(head + kernels.shape[1])), np.uint8)
    block[:, : 4 * rows] = np.ascontiguousarray(every.reshape(rows, LANES).T).view(np.uint8)
    block[:, head : head + kernels.shape[1]] = kernels
    return block[: min(count, LANES)]


def _tile(e: Emitter, node: Node, part: Part) -> Tile:
    each = part.taps * up(part.channels, _INTERLEAVE[part.element.size]) * part.element.size
    if part.is_depthwise:
        each = 4 * part.taps
    wide = part.is_depthwise and part.element != F32

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        rows = -(-channels // LANES)
        pictures = rows if part.is_depthwise else -(-part.channels // LANES)
        before, after = inner[0] * inner[1], h * w
        bytes_ = pictures * up(before * part.element.size) + rows * up(after * part.element.size)
        if wide:
            bytes_ += rows * (up(4 * before) + up(4 * after))
        return up(_head(rows) + rows * each) + bytes_

    tile = choose_tile(len(part.filters), part.axes, size, e.room)
    if tile is None:
        least = reach(part.axes[0], 1), reach(part.axes[1], 1)
        raise no_room(e, node, size(min(LANES, len(part.filters)), 1, 1, least))
    return tile


def emit_part(e: Emitter, node: Node, part: Part) -> None:
    e.begin(node)
    tile = _tile(e, node, part)
    for first in range(0, len(part.filters), tile.channels):
        e.begin(node)
        some = slice(first, first + tile.channels)
        block = e.load_block(_pack(part, some))
        for at in tiles_of(part.batch, part.axes, tile):
            with e.scope():
                _emit_tile(e, part, (first, len(part.filters[some])), block.address, at)


def _emit_tile(
    e: Emitter, part: Part, some: tuple[int, int], block: int, at: tuple[int, Band, Band]
) -> None:
    n, h, w = at
    first, count = some
    inputs, start = (count, first) if part.is_depthwise else (part.channels, 0)
    x = e.take((1, inputs, h.stop - h.start, w.stop - w.start), part.element)
    e.load(part.source.at((n, start, h.start, w.start), part.element), x)
    y = e.take((1, count, h.last - h.first, w.last - w.first), part.element)
    _compute(e, part, block, (x, y), (h.before, w.before, h.after, w.after))
    e.store(y, part.target.at((n, first, h.first, w.first), part.element))


def _compute(e: Emitter, part: Part, block: int, places: tuple[Local, Local], pads: Pads) -> None:
    """Commands of a tile that lies in local memory: input, result."""
    x, y = places
    window = replace(part.window, pads=pads)
    at = block + _head(-(-y.shape[1] // LANES)), block if part.biases.any() else None
    if not part.is_depthwise:
        tiu_float.convolve_float(e, y, x, at, window)
    elif part.element == F32:
        tiu_float.depthwise_float(e, y, x, at, window)
    else:
        wide = e.take(x.shape, F32), e.take(y.shape, F32)
        tiu_float.convert(e, wide[0], x)
        tiu_float.depthwise_float(e, wide[1], wide[0], at, window)
        tiu_float.convert(e, y, wide[1])
    if part.limits is not None:
        tiu_float.limit(e, y, *part.limits)


def whole(e: Emitter, node: Node, part: Part, stays: bool) -> None:
    """All of it at once."""
    source, target = node.activations[0], node.output
    block = e.load_block(_pack(part, slice(None)))
    x = e.fetch(source, shape_of(source))
    y = e.take(shape_of(target), part.element)
    _compute(e, part, block.address, (x, y), part.window.pads)
    e.finish(target, y, stays)


def why_not_weights(node: Node) -> str | None:
    for value in node.inputs[1:]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    return None


def _covers_conv(node: Node) -> str | None:
    return why_not_floats(node) or why_not_weights(node) or why_not_window(node)


def limits_of(node: Node) -> tuple[float, float | None] | None:
    if not node.flag("do_relu"):
        return None
    high = node.number("relu_limit")
    return 0.0, high if high > 0 else None


def biases_of(node: Node, count: int) -> np.ndarray:
    bias = node.inputs[2].data if len(node.inputs) > 2 and node.inputs[2] is not None else None
    return np.zeros(count, np.float32) if bias is None else bias.reshape(-1)


def _conv_parts(e: Emitter, node: Node) -> Iterator[Part]:
    source, target = node.activations[0], node.output
    before, after = shape_of(source), shape_of(target)
    window, group = window_of(node), node.integer("group")
    filters = node.weight(1).reshape(len(node.weight(1)), -1, *window.kernel)
    biases, element = biases_of(node, len(filters)), element_of(target)
    if group == before[1] == len(filters):
        group = 1  # depthwise: one part
    per_in, per_out = before[1] // group, len(filters) // group
    for g in range(group):
        some = slice(g * per_out, (g + 1) * per_out)
        yield Part(
            e.remote(source, before).at((0, g * per_in, 0, 0), element),
            e.remote(target, after).at((0, g * per_out, 0, 0), element),
            before[0],
            per_in,
            target.dtype,
            element,
            axes_of(window, before[2:], after[2:]),
            window,
            filters[some],
            biases[some],
            limits_of(node),
        )


def _start(e: Emitter, node: Node, _: bool) -> Step:
    part = only_part(node, _conv_parts(e, node))
    block = e.load_block(_pack(part, slice(None)))

    def run(operands: Sequence[Local | Remote], band: Band) -> Local:
        (x,) = near(operands)
        shape = 1, len(part.filters), band.last - band.first, part.axes[1].out
        y, sides = e.take(shape, part.element), part.window.pads
        _compute(e, part, block.address, (x, y), (band.before, sides[1], band.after, sides[3]))
        return y

    return Step(run)


_IN_BANDS = InBands(_start, rows_of_window)
RULES = {"Conv2D": in_groups(_covers_conv, _conv_parts, emit_part, whole, _IN_BANDS)}
