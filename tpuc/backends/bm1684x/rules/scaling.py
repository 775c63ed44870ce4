"""A picture times one number for each channel, as in squeeze-and-excitation.

y = saturate(half_up(a * b[c] * m >> s))
"""

from __future__ import annotations

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S32, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.rules.rule import no_room, shape_of, why_not_bytes
from tpuc.backends.bm1684x.tiling import Window, axes_of, choose_tile, cut
from tpuc.ir import Node, Value

__all__ = ["is_scaling", "scale", "scale_whole", "why_not_scaling"]


def is_scaling(node: Node) -> bool:
    """Whether one operand has the shape of the result, and the other 1 x 1 pictures."""
    if len(node.activations) != 2 or len(node.output.shape) != 4:
        return False
    picture, factor = _operands(node)
    n, c = node.output.shape[:2]
    return picture.shape == node.output.shape and factor.shape == (n, c, 1, 1)


def why_not_scaling(node: Node) -> str | None:
    """Why such an op has no instructions."""
    return why_not_bytes(node)


def _operands(node: Node) -> tuple[Value, Value]:
    first, second = node.activations
    return (first, second) if first.size >= second.size else (second, first)


def _compute(e: Emitter, node: Node, a: Local, b: Local) -> Local:
    wide, y = e.take(a.shape, S32), e.take(a.shape, element_of(node.output))
    tiu.multiply_channels(e, wide, a, b)
    factor = node.integer("multiplier"), node.integer("rshift")
    tiu.requantize(e, y, wide, factor, tiu.HALF_UP)
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)
    return y


def scale_whole(e: Emitter, node: Node, stays: bool) -> None:
    """All of it at once."""
    picture, factor = _operands(node)
    a, b = e.fetch(picture, shape_of(picture)), e.fetch(factor, shape_of(factor))
    e.finish(node.output, _compute(e, node, a, b), stays)


def scale(e: Emitter, node: Node) -> None:
    """In parts, from global memory."""
    picture, factor = _operands(node)
    shape = shape_of(picture)
    axes = axes_of(Window((1, 1)), shape[2:], shape[2:])
    kinds = element_of(picture), element_of(factor), element_of(node.output)

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        return -(-channels // LANES) * (64 + 2 * up(h * w) + up(4 * h * w))

    e.begin(node)
    tile = choose_tile(shape[1], axes, size, e.room)
    if tile is None:
        raise no_room(e, node, size(LANES, 1, 1, (1, 1)))
    far = [e.remote(v, shape_of(v)) for v in (picture, factor, node.output)]
    for n in range(shape[0]):
        for first in range(0, shape[1], tile.channels):
            count = min(tile.channels, shape[1] - first)
            for h in cut(axes[0], tile.h):
                for w in cut(axes[1], tile.w):
                    e.begin(node)
                    a = e.take((1, count, h.last - h.first, w.last - w.first), kinds[0])
                    b = e.take((1, count, 1, 1), kinds[1])
                    at = n, first, h.first, w.first
                    e.load(far[0].at(at, kinds[0]), a)
                    e.load(far[1].at((n, first, 0, 0), kinds[1]), b)
                    e.store(_compute(e, node, a, b), far[2].at(at, kinds[2]))
