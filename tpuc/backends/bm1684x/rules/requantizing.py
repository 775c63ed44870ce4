"""int32 to 8 bits: saturate(half_away(x * m >> s)), m and s one number, or one for each channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.rules.filters import triples_of
from tpuc.backends.bm1684x.rules.frames import framed
from tpuc.backends.bm1684x.rules.rule import BYTES, Rule, no_room, shape_of
from tpuc.backends.bm1684x.tiling import Window, axes_of, choose_tile, cut
from tpuc.ir import DType, Node

__all__ = ["RULES"]


def _covers(node: Node) -> str | None:
    source, target = node.activations[0], node.output
    if source.dtype != DType.SI32 or target.dtype not in BYTES:
        return f"makes {target.dtype} of {source.dtype}"
    if node.attrs.get("round_mode") != "HalfAwayFromZero":
        return f"round_mode is {node.attrs.get('round_mode')}"
    mode = node.attrs.get("quant_mode", "MultiplierShift")
    return None if mode == "MultiplierShift" else f"quant_mode is {mode}"


def _one(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    y = e.take(operands[0].shape, element_of(node.output))
    factor = node.integer("multiplier"), node.integer("rshift")
    tiu.requantize(e, y, operands[0], factor, tiu.HALF_AWAY)
    return y


def _covers_channels(node: Node) -> str | None:
    words = node.inputs[1]
    if words is None or words.data is None:
        return "has no constant words"
    if words.data.reshape(-1, 3)[:, 2].any():
        return "has zero points"
    rank = len(node.output.shape)
    return _covers(node) if rank in (3, 4) else f"its input has {rank} axes"


def _words(e: Emitter, node: Node, some: slice) -> Local:
    words = node.weight(1).reshape(-1, 3)[some].astype(np.int64)
    return e.load_block(triples_of(words * (1, -1, 0)).view(np.uint8))


def _channels(e: Emitter, node: Node, x: Local, words: int) -> Local:
    y = e.take(x.shape, element_of(node.output))
    tiu.requantize_channels(e, y, x, words, tiu.HALF_AWAY)
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)
    return y


def _emit_channels(e: Emitter, node: Node) -> None:
    source, target = node.activations[0], node.output
    shape, kinds = shape_of(source), (element_of(source), element_of(target))
    axes = axes_of(Window((1, 1)), shape[2:], shape[2:])

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        return -(-channels // LANES) * (64 + up(h * w) + up(4 * h * w))

    e.begin(node)
    tile = choose_tile(shape[1], axes, size, e.room)
    if tile is None:
        raise no_room(e, node, size(LANES, 1, 1, (1, 1)))
    far = e.remote(source, shape), e.remote(target, shape)
    for first in range(0, shape[1], tile.channels):
        e.begin(node)
        count = min(tile.channels, shape[1] - first)
        words = _words(e, node, slice(first, first + count)).address
        for n in range(shape[0]):
            for h in cut(axes[0], tile.h):
                for w in cut(axes[1], tile.w):
                    with e.scope():
                        at = n, first, h.first, w.first
                        x = e.take((1, count, h.last - h.first, w.last - w.first), kinds[0])
                        e.load(far[0].at(at, kinds[0]), x)
                        e.store(_channels(e, node, x, words), far[1].at(at, kinds[1]))


def _whole_channels(e: Emitter, node: Node, stays: bool) -> None:
    words = _words(e, node, slice(None)).address
    x = e.fetch(node.activations[0], shape_of(node.output))
    e.finish(node.output, _channels(e, node, x, words), stays)


RULES = {
    "RequantInt": framed(_covers, _one),
    "RequantIntAxis": Rule(_covers_channels, _emit_channels, _whole_channels),
}
