"""Convolutions.

Per part: coefficients and input rows are loaded, then

    conv:       acc = sum(x * w);  acc += bias;  y = saturate(round(acc * m >> s))
    depthwise:  acc = sum(x * w) + bias;         y = the same

A lane's coefficients: requantization words, 64 bytes for each row of channels; biases, 4 bytes
each; filters (conv: 64 input channels side by side, zeros behind the last; depthwise: plain).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S32, Element, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.folding import Fold, best_fold, fold, one_hot
from tpuc.backends.bm1684x.rules.rule import (
    BYTES,
    Rule,
    no_room,
    shape_of,
    why_not_bytes,
    why_not_window,
    window_of,
)
from tpuc.backends.bm1684x.tiling import Axis, Band, Tile, Window, axes_of, choose_tile, cut, reach
from tpuc.ir import Node

__all__ = [
    "RULES",
    "Part",
    "Slice",
    "compute",
    "emit_part",
    "pack",
    "whole",
    "why_not_weights",
    "words_of",
]


@dataclass(frozen=True)
class Part:
    """A convolution of one group, or a depthwise one; all of it in global memory."""

    source: Remote
    target: Remote
    batch: int
    channels: int  # of the input
    types: tuple[Element, Element]
    axes: tuple[Axis, Axis]
    window: Window
    filters: np.ndarray  # (O, I, KH, KW), depthwise (C, 1, KH, KW); int8, or uint8 if not depthwise
    words: np.ndarray  # (O, 3): multiplier, -shift, bias
    rounding: int
    relu: bool

    @property
    def is_depthwise(self) -> bool:
        return self.filters.shape[1] == 1 and self.channels == len(self.filters) > 1


def pack(filters: np.ndarray, words: np.ndarray, is_depthwise: bool) -> np.ndarray:
    """(lanes, bytes): the coefficients of some output channels."""
    count, depth, kh, kw = filters.shape
    rows = -(-count // LANES)
    padded = np.zeros((rows * LANES, up(depth) if not is_depthwise else 1, kh * kw), np.int8)
    padded[:count, :depth] = filters.reshape(count, depth, kh * kw).view(np.int8)
    if is_depthwise:
        plain = padded.reshape(rows, LANES, kh * kw)
    else:
        plain = padded.reshape(rows, LANES, -1, 64, kh * kw).transpose(0, 1, 2, 4, 3)
    kernels = plain.reshape(rows, LANES, -1).transpose(1, 0, 2).reshape(LANES, -1)
    every = np.zeros((rows * LANES, 3), np.int64)
    every[:count] = words
    every = every.reshape(rows, LANES, 3).transpose(1, 0, 2)
    triples = np.zeros((LANES, rows, 16), "<i4")
    triples[:, :, :2] = every[:, :, :2]
    head = _head(rows)
    block = np.zeros((LANES, up(head + kernels.shape[1])), np.uint8)
    block[:, : 64 * rows] = triples.reshape(LANES, -1).view(np.uint8)
    biases = np.ascontiguousarray(every[:, :, 2], "<i4").view(np.uint8)
    block[:, 64 * rows : 64 * rows + 4 * rows] = biases
    block[:, head : head + kernels.shape[1]] = kernels.view(np.uint8)
    return block[: min(count, LANES)]


def _head(rows: int) -> int:
    """Bytes of a lane before its filters."""
    return 64 * rows + up(4 * rows)


def _tile(e: Emitter, node: Node, part: Part) -> Tile:
    taps = part.filters.shape[2] * part.filters.shape[3]

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        rows = -(-channels // LANES)
        depth = -(-part.channels // LANES)
        each = taps if part.is_depthwise else up(part.channels) * taps
        pictures = (rows if part.is_depthwise else depth) * up(inner[0] * inner[1])
        sums = rows * up(4 * h * w)
        return up(_head(rows) + rows * each) + pictures + sums + rows * up(h * w)

    tile = choose_tile(len(part.filters), part.axes, size, e.room)
    if tile is None:
        least = [reach(axis, 1) for axis in part.axes]
        raise no_room(e, node, size(min(LANES, len(part.filters)), 1, 1, (least[0], least[1])))
    return tile


@dataclass(frozen=True)
class Slice:
    """Output channels of a part whose coefficients lie at `block` in local memory."""

    first: int
    count: int
    block: int


def emit_part(e: Emitter, node: Node, part: Part) -> None:
    """All of it from global memory, in tiles."""
    e.begin(node)
    tile = _tile(e, node, part)
    for first in range(0, len(part.filters), tile.channels):
        e.begin(node)
        some = slice(first, first + tile.channels)
        filters = part.filters[some]
        block = e.load_block(pack(filters, part.words[some], part.is_depthwise))
        for n, h, w in _bands(part, tile):
            with e.scope():
                _emit_tile(e, part, Slice(first, len(filters), block.address), (n, h, w))


def _bands(part: Part, tile: Tile) -> Iterator[tuple[int, Band, Band]]:
    for n in range(part.batch):
        for h in cut(part.axes[0], tile.h):
            for w in cut(part.axes[1], tile.w):
                yield n, h, w


def _emit_tile(e: Emitter, part: Part, some: Slice, at: tuple[int, Band, Band]) -> None:
    n, h, w = at
    inputs, first = (some.count, some.first) if part.is_depthwise else (part.channels, 0)
    x = e.take((1, inputs, h.stop - h.start, w.stop - w.start), part.types[0])
    e.load(part.source.at((n, first, h.start, w.start), part.types[0]), x)
    shape = 1, some.count, h.last - h.first, w.last - w.first
    sums, y = e.take(shape, S32), e.take(shape, part.types[1])
    compute(e, part, some, (x, sums, y), (h.before, w.before, h.after, w.after))
    e.store(y, part.target.at((n, some.first, h.first, w.first), part.types[1]))


def compute(
    e: Emitter,
    part: Part,
    some: Slice,
    places: tuple[Local, Local, Local],
    pads: tuple[int, int, int, int],
) -> None:
    """Commands of a tile that lies in local memory: input, sums, result."""
    x, sums, y = places
    window = Window(part.window.kernel, part.window.strides, part.window.dilations, pads)
    rows = -(-some.count // LANES)
    filters, biases = some.block + _head(rows), some.block + 64 * rows
    if part.is_depthwise:
        tiu.depthwise(e, sums, x, (filters, biases), window)
    else:
        tiu.convolve(e, sums, x, (filters, part.filters.dtype == np.int8), window)
        if part.words[some.first : some.first + some.count, 2].any():
            tiu.add_bias(e, sums, biases)
    tiu.requantize_channels(e, y, sums, some.block, part.rounding)
    if part.relu and y.element.signed:
        tiu.raise_to_zero(e, y)


def whole(e: Emitter, node: Node, part: Part, stays: bool) -> None:
    """All of it at once."""
    source, target = node.activations[0], node.output
    if source.name not in e.residents and not part.is_depthwise:
        how = best_fold(part.window, shape_of(source), shape_of(target))
        if how is not None:
            e.finish(target, _folded(e, node, part, how), stays)
            return
    block = e.load_block(pack(part.filters, part.words, part.is_depthwise))
    x = e.fetch(source, shape_of(source))
    sums, y = e.take(shape_of(target), S32), e.take(shape_of(target), part.types[1])
    some = Slice(0, len(part.filters), block.address)
    compute(e, part, some, (x, sums, y), part.window.pads)
    e.finish(target, y, stays)


def _folded(e: Emitter, node: Node, part: Part, how: Fold) -> Local:
    """Taps of a picture in global memory become channels first."""
    count, before = len(part.filters), shape_of(node.activations[0])
    filters = part.filters.reshape(count, how.shape[1], *how.rest.kernel)
    block = pack(filters, part.words, False)
    picks = one_hot(how, before[1], len(block))
    both = np.zeros((len(picks), block.shape[1] + picks.shape[1]), np.uint8)
    both[: len(block), : block.shape[1]], both[:, block.shape[1] :] = block, picks
    at = e.load_block(both).address
    x = fold(e, part.source, part.types[0], (how, before, at + block.shape[1]))
    sums = e.take(shape_of(node.output), S32)
    y = e.take(shape_of(node.output), part.types[1])
    left = replace(part, window=how.rest, channels=how.shape[1], filters=filters)
    compute(e, left, Slice(0, count, at), (x, sums, y), how.rest.pads)
    return y


def words_of(node: Node, multipliers: np.ndarray, shifts: np.ndarray, count: int) -> np.ndarray:
    """(O, 3): multiplier, -shift, bias of each channel."""
    bias = node.inputs[2].data if len(node.inputs) > 2 and node.inputs[2] is not None else None
    words = np.zeros((count, 3), np.int64)
    words[:, 0], words[:, 1] = multipliers, -shifts
    if bias is not None:
        words[:, 2] = bias.reshape(-1)
    return words


def why_not_weights(node: Node) -> str | None:
    for value in node.inputs[1:]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    filters = node.inputs[1]
    if filters is None or filters.dtype not in BYTES:
        return f"its filter is {None if filters is None else filters.dtype}"
    if filters.quant is not None and filters.quant.zero_point:
        return f"its filter has zero point {filters.quant.zero_point}"
    return None


def _covers_conv(node: Node) -> str | None:
    wrong = why_not_bytes(node) or why_not_weights(node) or why_not_window(node)
    if wrong is None and node.attrs.get("round_mode") != "HalfUp":
        return f"round_mode is {node.attrs.get('round_mode')}"
    return wrong


def _conv_parts(e: Emitter, node: Node) -> Iterator[Part]:
    source, target = node.activations[0], node.output
    before, after = shape_of(source), shape_of(target)
    window, group = window_of(node), node.integer("group")
    filters = node.weight(1).reshape(len(node.weight(1)), -1, *window.kernel)
    words = words_of(
        node, np.array(node.ints("multiplier")), np.array(node.ints("rshift")), len(filters)
    )
    if group == before[1] == len(filters):
        group = 1  # depthwise: one part
    per_in, per_out = before[1] // group, len(filters) // group
    types = element_of(source), element_of(target)
    for g in range(group):
        some = slice(g * per_out, (g + 1) * per_out)
        yield Part(
            e.remote(source, before).at((0, g * per_in, 0, 0), types[0]),
            e.remote(target, after).at((0, g * per_out, 0, 0), types[1]),
            before[0],
            per_in,
            types,
            axes_of(window, before[2:], after[2:]),
            window,
            filters[some],
            words[some],
            tiu.HALF_UP,
            node.flag("do_relu"),
        )


def _conv(e: Emitter, node: Node) -> None:
    for part in _conv_parts(e, node):
        emit_part(e, node, part)


def _conv_whole(e: Emitter, node: Node, stays: bool) -> None:
    parts = list(_conv_parts(e, node))
    if len(parts) > 1:
        raise NoRoom(f"{node}: its groups are computed one by one")
    whole(e, node, parts[0], stays)


RULES = {"Conv2D": Rule(_covers_conv, _conv, _conv_whole)}
