"""Convolutions.

Per part: coefficients and input rows are loaded, then

    conv:       acc = sum(x * w);  acc += bias;  y = saturate(round(acc * m >> s))
    depthwise:  acc = sum(x * w) + bias;         y = the same
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S32, Local, Shape, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules.filters import (
    Part,
    Slice,
    compute,
    head_bytes,
    pack,
    why_not_weights,
    words_of,
)
from tpuc.backends.bm1684x.rules.folding import Fold, best_fold, fold, one_hot, same_fold
from tpuc.backends.bm1684x.rules.in_groups import in_groups, only_part
from tpuc.backends.bm1684x.rules.rule import (
    InBands,
    Step,
    near,
    no_room,
    rows_of_window,
    shape_of,
    why_not_bytes,
    why_not_window,
    window_of,
)
from tpuc.backends.bm1684x.tiling import Band, Tile, axes_of, choose_tile, reach, tiles_of
from tpuc.ir import Node

__all__ = ["RULES", "emit_part", "whole"]


def _tile(e: Emitter, node: Node, part: Part) -> Tile:
    taps = part.filters.shape[2] * part.filters.shape[3]

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        rows = -(-channels // LANES)
        depth = -(-part.channels // LANES)
        each = taps if part.is_depthwise else up(part.channels) * taps
        pictures = (rows if part.is_depthwise else depth) * up(inner[0] * inner[1])
        sums = rows * up(4 * h * w)
        return up(head_bytes(rows) + rows * each) + pictures + sums + rows * up(h * w)

    tile = choose_tile(len(part.filters), part.axes, size, e.room)
    if tile is None:
        least = [reach(axis, 1) for axis in part.axes]
        raise no_room(e, node, size(min(LANES, len(part.filters)), 1, 1, (least[0], least[1])))
    return tile


def emit_part(e: Emitter, node: Node, part: Part) -> None:
    """All of it from global memory, in tiles."""
    e.begin(node)
    tile = _tile(e, node, part)
    for first in range(0, len(part.filters), tile.channels):
        e.begin(node)
        some = slice(first, first + tile.channels)
        filters = part.filters[some]
        block = e.load_block(pack(filters, part.words[some], part.is_depthwise))
        for n, h, w in tiles_of(part.batch, part.axes, tile):
            with e.scope():
                _emit_tile(e, part, Slice(first, len(filters), block.address), (n, h, w))


def _emit_tile(e: Emitter, part: Part, some: Slice, at: tuple[int, Band, Band]) -> None:
    n, h, w = at
    inputs, first = (some.count, some.first) if part.is_depthwise else (part.channels, 0)
    x = e.take((1, inputs, h.stop - h.start, w.stop - w.start), part.types[0])
    e.load(part.source.at((n, first, h.start, w.start), part.types[0]), x)
    shape = 1, some.count, h.last - h.first, w.last - w.first
    sums, y = _results(e, part, shape)
    compute(e, part, some, (x, sums, y), (h.before, w.before, h.after, w.after))
    e.store(y, part.target.at((n, some.first, h.first, w.first), part.types[1]))


def _results(e: Emitter, part: Part, shape: Shape) -> tuple[Local, Local]:
    """Room for sums, and for what becomes of them; one for both if they stay int32."""
    sums = e.take(shape, S32)
    return sums, sums if part.types[1] == S32 else e.take(shape, part.types[1])


def whole(e: Emitter, node: Node, part: Part, stays: bool) -> None:
    """All of it at once."""
    source, target = node.activations[0], node.output
    plain = part.window.spread == (1, 1) and not part.is_depthwise
    if source.name not in e.residents and plain:
        how = best_fold(part.window, shape_of(source), shape_of(target))
        if how is not None:
            e.finish(target, _folded(e, node, part, how), stays)
            return
    block = e.load_block(pack(part.filters, part.words, part.is_depthwise))
    x = e.fetch(source, shape_of(source))
    sums, y = _results(e, part, shape_of(target))
    some = Slice(0, len(part.filters), block.address)
    compute(e, part, some, (x, sums, y), part.window.pads)
    e.finish(target, y, stays)


@dataclass(frozen=True)
class _Folded:
    """A convolution some of whose taps are channels, and where its coefficients lie."""

    part: Part
    how: Fold
    before: Shape
    after: Shape
    block: int
    picks: int

    def compute(self, e: Emitter, source: Remote) -> Local:
        """Commands of a picture in global memory."""
        part, how = self.part, self.how
        x = fold(e, source, part.types[0], (how, self.before, self.picks))
        sums, y = _results(e, part, self.after)
        left = replace(part, window=how.rest, channels=how.shape[1])
        some = Slice(0, len(part.filters), self.block)
        compute(e, left, some, (x, sums, y), how.rest.pads)
        return y

    def of_rows(self, band: Band) -> _Folded:
        """The same for some rows."""
        window = self.part.window
        pads = band.before, window.pads[1], band.after, window.pads[3]
        before = (*self.before[:2], band.stop - band.start, self.before[3])
        after = (*self.after[:2], band.last - band.first, self.after[3])
        how = same_fold(self.how, replace(window, pads=pads), before, after)
        return replace(self, how=how, before=before, after=after)


def _start_folded(e: Emitter, node: Node, part: Part, how: Fold) -> _Folded:
    """Load what makes channels of taps, and the filters for those."""
    count, before = len(part.filters), shape_of(node.activations[0])
    filters = part.filters.reshape(count, how.shape[1], *how.rest.kernel)
    block = pack(filters, part.words, False)
    picks = one_hot(how, before[1], len(block))
    both = np.zeros((len(picks), block.shape[1] + picks.shape[1]), np.uint8)
    both[: len(block), : block.shape[1]], both[:, block.shape[1] :] = block, picks
    at = e.load_block(both).address
    folded = replace(part, filters=filters)
    return _Folded(folded, how, before, shape_of(node.output), at, at + block.shape[1])


def _folded(e: Emitter, node: Node, part: Part, how: Fold) -> Local:
    """Taps of a picture in global memory become channels first."""
    return _start_folded(e, node, part, how).compute(e, part.source)


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


def _start(e: Emitter, node: Node, is_far: bool) -> Step:
    part = only_part(node, _conv_parts(e, node))
    if is_far and not part.is_depthwise:
        how = best_fold(part.window, shape_of(node.activations[0]), shape_of(node.output))
        if how is not None:
            return _start_rows_of_taps(_start_folded(e, node, part, how), e)
    block = e.load_block(pack(part.filters, part.words, part.is_depthwise))

    def run(operands: Sequence[Local | Remote], band: Band) -> Local:
        (x,) = near(operands)
        shape = 1, len(part.filters), band.last - band.first, part.axes[1].out
        sums, y = e.take(shape, S32), e.take(shape, part.types[1])
        pads = band.before, part.window.pads[1], band.after, part.window.pads[3]
        compute(e, part, Slice(0, shape[1], block.address), (x, sums, y), pads)
        return y

    return Step(run)


def _start_rows_of_taps(folded: _Folded, e: Emitter) -> Step:
    def run(operands: Sequence[Local | Remote], band: Band) -> Local:
        (source,) = operands
        assert isinstance(source, Remote)
        return folded.of_rows(band).compute(e, source)

    return Step(run, takes_far=True)


_IN_BANDS = InBands(_start, rows_of_window)
RULES = {"Conv2D": in_groups(_covers_conv, _conv_parts, emit_part, whole, _IN_BANDS)}
