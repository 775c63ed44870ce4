"""Pools: the largest of a window, or half_up(sum * m >> s)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules.rule import (
    InBands,
    Rule,
    Step,
    near,
    no_room,
    rows_of_window,
    shape_of,
    why_not_bytes,
    why_not_window,
    window_of,
)
from tpuc.backends.bm1684x.tiling import Band, Window, axes_of, choose_tile, cut, reach
from tpuc.ir import Node

__all__ = ["RULES", "emit_pool", "start_pool"]

Size = Callable[[Node, int, tuple[int, int]], int]
Command = Callable[[Emitter, Node, tuple[Local, Local], Window], None]


def _covers(node: Node) -> str | None:
    wrong = why_not_bytes(node) or why_not_window(node)
    if wrong:
        return wrong
    if node.activations[0].dtype != node.output.dtype:
        return f"pools {node.activations[0].dtype} to {node.output.dtype}"
    if node.attrs["pool_mode"] == "Max":
        return None
    if node.attrs.get("multiplier") is None:
        return "averages with a scale and an offset"
    if any(node.ints("pads")) and not node.flag("count_include_pad"):
        return "count_include_pad is false with pads"
    factor, shift = node.integer("multiplier"), node.integer("rshift")
    if not 0 <= factor < 256 or not 0 <= shift < 32:
        return f"multiplier is {factor}, shift {shift}"
    return None


def _size(node: Node, channels: int, counts: tuple[int, int]) -> int:
    return -(-channels // LANES) * sum(up(n) for n in counts)


def _emit(e: Emitter, node: Node) -> None:
    emit_pool(e, node, _size, _command)


def emit_pool(e: Emitter, node: Node, bytes_of: Size, command: Command) -> None:
    """A pool from global memory, in parts.

    Parameters
    ----------
    bytes_of : function of the op, channels, and pixels of (input, result)
        Bytes of each lane.
    command : function that appends the commands of a part
    """
    source, target = node.activations[0], node.output
    before = shape_of(source)
    window = window_of(node)
    after = shape_of(target)
    axes, element = axes_of(window, before[2:], after[2:]), element_of(source)

    def size(channels: int, h: int, w: int, inner: tuple[int, int]) -> int:
        return bytes_of(node, channels, (inner[0] * inner[1], h * w))

    e.begin(node)
    tile = choose_tile(before[1], axes, size, e.room)
    if tile is None:
        least = reach(axes[0], 1), reach(axes[1], 1)
        raise no_room(e, node, size(min(LANES, before[1]), 1, 1, least))
    far, near = e.remote(source, before), e.remote(target, after)
    for n in range(before[0]):
        for first in range(0, before[1], tile.channels):
            count = min(tile.channels, before[1] - first)
            for h in cut(axes[0], tile.h):
                for w in cut(axes[1], tile.w):
                    e.begin(node)
                    x = e.take((1, count, h.stop - h.start, w.stop - w.start), element)
                    y = e.take((1, count, h.last - h.first, w.last - w.first), element)
                    e.load(far.at((n, first, h.start, w.start), element), x)
                    pads = h.before, w.before, h.after, w.after
                    part = Window(window.kernel, window.strides, window.dilations, pads)
                    command(e, node, (y, x), part)
                    e.store(y, near.at((n, first, h.first, w.first), element))


def _command(e: Emitter, node: Node, sides: tuple[Local, Local], window: Window) -> None:
    y, x = sides
    if node.attrs["pool_mode"] == "Max":
        tiu.maximum(e, y, x, window)
    else:
        tiu.average(e, y, x, (node.integer("multiplier"), node.integer("rshift")), window)
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)


def _whole(e: Emitter, node: Node, stays: bool) -> None:
    source, target = node.activations[0], node.output
    x = e.fetch(source, shape_of(source))
    y = e.take(shape_of(target), element_of(target))
    _command(e, node, (y, x), window_of(node))
    e.finish(target, y, stays)


def start_pool(command: Command) -> Callable[[Emitter, Node, bool], Step]:
    """A pool of some rows at a time, by a function that appends the commands of a part."""

    def start(e: Emitter, node: Node, _: bool) -> Step:
        window, shape = window_of(node), shape_of(node.output)

        def run(operands: Sequence[Local | Remote], band: Band) -> Local:
            (x,) = near(operands)
            y = e.take((*shape[:2], band.last - band.first, shape[3]), x.element)
            pads = band.before, window.pads[1], band.after, window.pads[3]
            part = Window(window.kernel, window.strides, window.dilations, pads)
            command(e, node, (y, x), part)
            return y

        return Step(run)

    return start


_IN_BANDS = InBands(start_pool(_command), rows_of_window)
RULES = {"Pool2D": Rule(_covers, _emit, _whole, _IN_BANDS)}
