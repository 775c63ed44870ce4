"""Ops that put boxes of a tensor elsewhere: other orders, parts, repeats, padding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from tpuc.backends.bm1684x.command import Element
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.floats import bits_of
from tpuc.backends.bm1684x.rules.boxes import (
    Box,
    Run,
    boxes_of,
    move,
    permuted,
    runs_of,
    why_not_boxes,
)
from tpuc.backends.bm1684x.rules.movement import why_not_alike, why_not_same
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import Node

__all__ = ["RULES"]

_LONGEST = 65535
_Boxes = Callable[[Node], Iterator[Box]]


def _shapes(node: Node) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return node.activations[0].shape, node.output.shape


def _permuted(node: Node) -> Iterator[Box]:
    return permuted(node.activations[0].shape, node.ints("order"))


def _sliced(node: Node) -> Iterator[Box]:
    before, after = _shapes(node)
    offset, steps, ends = (node.ints(k) for k in ("offset", "steps", "ends"))
    runs = [[Run(0, 0, size)] for size in before]
    for axis, start, step, end in zip(node.ints("axes") or range(len(offset)), offset, steps, ends):
        size = before[axis]
        stop = None if step < 0 and end < -size else end
        places = range(*slice(start, stop, step).indices(size))
        whole = [Run(0, places.start, len(places), step)] if step > 0 else runs_of(places)
        runs[axis] = whole
    return boxes_of(before, after, runs)


def _why_not_sliced(node: Node) -> str | None:
    if any(v is not None for v in node.inputs[1:]):
        return "its places are an operand"
    return why_not_same(node) or why_not_boxes(_sliced, node)


def _larger(node: Node) -> Iterator[Box]:
    """The whole picture once for each pixel that one becomes."""
    before, after = _shapes(node)
    runs = [[Run(0, 0, size)] for size in before[:2]]
    for size, key in zip(before[2:], ("scale_h", "scale_w")):
        scale = node.integer(key)
        runs.append([Run(i, 0, size, 1, scale) for i in range(scale)])
    return boxes_of(before, after, runs)


def _why_not_picture(node: Node) -> str | None:
    shape = node.activations[0].shape
    return why_not_alike(node) or (None if len(shape) == 4 else f"its input is {list(shape)}")


def _rolled(node: Node) -> Iterator[Box]:
    """Along each axis what lies behind the offset comes first."""
    before, after = _shapes(node)
    runs = []
    for size, offset in zip(before, node.ints("offset")):
        at = offset % size
        runs.append([Run(0, at, size - at), *([Run(size - at, 0, at)] if at else [])])
    return boxes_of(before, after, runs)


def _blocks(node: Node) -> Iterator[Box]:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    a, b, c, d = node.activations[0].shape
    if not node.attrs.get("in_is_NCHW", True):
        order = (0, 1, 3, 4, 2, 5) if node.flag("swap_cr") else (0, 1, 3, 2, 4, 5)
        return permuted((a, b // bh, bh, c // bw, bw, d), order)
    if node.flag("is_inversed"):
        order = (0, 1, 3, 5, 2, 4) if node.flag("is_CRD") else (0, 3, 5, 1, 2, 4)
        return permuted((a, b, c // bh, bh, d // bw, bw), order)
    if node.flag("is_CRD"):
        return permuted((a, b // (bh * bw), bh, bw, c, d), (0, 1, 4, 2, 5, 3))
    return permuted((a, bh, bw, b // (bh * bw), c, d), (0, 3, 4, 1, 5, 2))


def _repeated(node: Node) -> Iterator[Box]:
    """The whole operand for each repeat of an axis."""
    before, after = _shapes(node)
    runs = [
        [Run(i * size, 0, size) for i in range(times)]
        for size, times in zip(before, node.ints("tile"))
    ]
    return boxes_of(before, after, runs)


def _why_not_repeated(node: Node) -> str | None:
    rank = len(node.activations[0].shape)
    if len(node.ints("tile")) != rank:
        return f"tile is {list(node.ints('tile'))}, its input has {rank} axes"
    return why_not_alike(node) or why_not_boxes(_repeated, node)


def _padded(node: Node) -> Iterator[Box]:
    """The operand between its padding, or with what its numbers make of that."""
    before, after = _shapes(node)
    pads, rank, mode = node.ints("paddings"), len(before), node.text("mode")
    if mode == "constant":
        runs = [[Run(low, 0, size)] for low, size in zip(pads, before)]
    else:
        kind = "edge" if mode == "edge" else "reflect"
        runs = [
            runs_of(np.pad(np.arange(size), (low, high), mode=kind).tolist())  # type: ignore[call-overload]
            for size, low, high in zip(before, pads[:rank], pads[rank:])
        ]
    return boxes_of(before, after, runs)


def _why_not_padded(node: Node) -> str | None:
    if node.text("mode") not in ("constant", "edge", "reflect"):
        return f"mode is {node.text('mode')}"
    if min(node.ints("paddings"), default=0) < 0:
        return f"paddings are {list(node.ints('paddings'))}"
    return why_not_alike(node) or why_not_boxes(_padded, node)


def _fill(e: Emitter, node: Node) -> None:
    """The result full of what pads it."""
    target, element = node.output, element_of(node.output)
    if target.dtype.is_float:
        bits = bits_of(node.number("val"), element)
    else:
        low, high = target.dtype.qrange
        number = int(min(max(int(node.number("val")), low), high))
        bits = number & ((1 << 8 * element.size) - 1)
    at, left = e.addresses[target.name], math.prod(target.shape)
    while left:
        width = min(left, _LONGEST)
        rows = min(left // width, _LONGEST)
        _fill_run(e, at, (rows, width), element, bits)
        at += rows * width * element.size
        left -= rows * width


def _fill_run(e: Emitter, at: int, size: tuple[int, int], element: Element, bits: int) -> None:
    rows, width = size
    place = {"r_low": at & 0xFFFFFFFF, "r_high": at >> 32, "s_low": 0, "s_high": 0}
    shape = {"s_n": 1, "s_c": 1, "s_h": rows, "s_w": width}
    steps = {"r_nstr": rows * width, "r_cstr": rows * width, "r_hstr": width, "r_wstr": 1}
    e.emit("dma", type=element.code, same_shape=1, fill=1, constant=bits, **place, **shape, **steps)


def _pad(e: Emitter, node: Node) -> None:
    e.begin(node)
    if node.text("mode") == "constant":
        _fill(e, node)
    move(e, node, _padded(node))


def _moved(covers: Callable[[Node], str | None], boxes: _Boxes) -> Rule:
    return Rule(covers, lambda e, node: move(e, node, boxes(node)))


RULES = {
    "Permute": _moved(lambda n: why_not_alike(n) or why_not_boxes(_permuted, n), _permuted),
    "Slice": _moved(_why_not_sliced, _sliced),
    "Upsample": _moved(_why_not_picture, _larger),
    "SwapDimInner": _moved(why_not_alike, _rolled),
    "Depth2Space": _moved(_why_not_picture, _blocks),
    "Tile": _moved(_why_not_repeated, _repeated),
    "Pad": Rule(_why_not_padded, _pad),
}
