"""Pools of floats: the largest of a window, or its mean in float32, rounded once."""

from __future__ import annotations

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.rules.float_elementwise import relu
from tpuc.backends.bm1684x.rules.pooling import emit_pool, start_pool
from tpuc.backends.bm1684x.rules.rule import (
    InBands,
    Rule,
    rows_of_window,
    shape_of,
    why_not_floats,
    why_not_window,
    window_of,
)
from tpuc.backends.bm1684x.tiling import Window
from tpuc.ir import Node

__all__ = ["RULES"]


def _covers(node: Node) -> str | None:
    wrong = why_not_floats(node) or why_not_window(node)
    if wrong:
        return wrong
    if node.attrs["pool_mode"] == "Max":
        return None
    if any(node.ints("pads")) and not node.flag("count_include_pad"):
        return "count_include_pad is false with pads"
    return None


def _size(node: Node, channels: int, counts: tuple[int, int]) -> int:
    """Bytes of a lane for an input and a result of so many pixels."""
    element = element_of(node.output)
    wide = 4 if node.attrs["pool_mode"] == "Avg" and element != F32 else 0
    rows = -(-channels // LANES)
    return rows * sum(up(n * element.size) + up(n * wide) for n in counts)


def _command(e: Emitter, node: Node, sides: tuple[Local, Local], window: Window) -> None:
    y, x = sides
    if node.attrs["pool_mode"] == "Max":
        tiu_float.largest(e, y, x, window)
    else:
        share = 1.0 / (window.kernel[0] * window.kernel[1])
        if y.element == F32:
            tiu_float.total(e, y, x, window, share)
        else:
            wide = e.take(x.shape, F32), e.take(y.shape, F32)
            tiu_float.convert(e, wide[0], x)
            tiu_float.total(e, wide[1], wide[0], window, share)
            tiu_float.convert(e, y, wide[1])
    relu(e, node, y)


def _emit(e: Emitter, node: Node) -> None:
    emit_pool(e, node, _size, _command)


def _whole(e: Emitter, node: Node, stays: bool) -> None:
    source, target = node.activations[0], node.output
    x = e.fetch(source, shape_of(source))
    y = e.take(shape_of(target), element_of(target))
    _command(e, node, (y, x), window_of(node))
    e.finish(target, y, stays)


_IN_BANDS = InBands(start_pool(_command), rows_of_window)
RULES = {"Pool2D": Rule(_covers, _emit, _whole, _IN_BANDS)}
