"""Ops that put boxes of a tensor elsewhere: rolls, blocks to channels, repeats, padding."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import Element, Shape
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.floats import bits_of
from tpuc.backends.bm1684x.rules.axes import steps_of
from tpuc.backends.bm1684x.rules.movement import why_not_alike
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import Node

__all__ = ["RULES"]

_LONGEST = 65535


@dataclass(frozen=True)
class _Box:
    """Sizes of axes; of both sides the first number, and the numbers from one to the next."""

    sizes: tuple[int, ...]
    firsts: tuple[int, int]  # target, source
    steps: tuple[tuple[int, ...], tuple[int, ...]]


def _move(e: Emitter, node: Node, boxes: Iterator[_Box]) -> None:
    bases = e.addresses[node.output.name], e.addresses[node.activations[0].name]
    element = element_of(node.output)
    e.begin(node)
    for box in boxes:
        for part in _of_four(_joined(box)):
            sides = [
                Remote(base + first * element.size, _four(steps))
                for base, first, steps in zip(bases, part.firsts, part.steps)
            ]
            e.copy(sides[1], sides[0], _four(part.sizes, 1), element)


def _four(numbers: Sequence[int], missing: int = 0) -> Shape:
    n, c, h, w = (*(missing,) * (4 - len(numbers)), *numbers)
    return n, c, h, w


def _joined(box: _Box) -> _Box:
    """Without axes of length 1; two that follow one another on both sides are one."""
    kept: list[tuple[int, int, int]] = []
    for size, a, b in zip(box.sizes, *box.steps):
        if size == 1:
            continue
        if kept and (kept[-1][1], kept[-1][2]) == (size * a, size * b):
            kept[-1] = kept[-1][0] * size, a, b
        else:
            kept.append((size, a, b))
    kept = kept or [(1, 1, 1)]
    steps = tuple(a for _, a, _ in kept), tuple(b for *_, b in kept)
    return _Box(tuple(n for n, *_ in kept), box.firsts, steps)


def _of_four(box: _Box) -> Iterator[_Box]:
    """Parts of at most four axes, none longer than a command can say."""
    counts = [1 if i < len(box.sizes) - 4 else _LONGEST for i in range(len(box.sizes))]
    ranges = [range(0, size, count) for size, count in zip(box.sizes, counts)]
    for starts in itertools.product(*ranges):
        ends = zip(starts, box.sizes, counts)
        sizes = tuple(min(count, size - start) for start, size, count in ends)
        firsts = tuple(
            first + sum(i * s for i, s in zip(starts, steps))
            for first, steps in zip(box.firsts, box.steps)
        )
        yield _Box(sizes[-4:], firsts, (box.steps[0][-4:], box.steps[1][-4:]))  # type: ignore[arg-type]


def _rolled(node: Node) -> Iterator[_Box]:
    """Along each axis what lies behind the offset comes first."""
    shape = node.output.shape
    steps = steps_of(shape)
    cuts = []
    for size, offset in zip(shape, node.ints("offset")):
        at = offset % size
        cuts.append([(0, at, size - at), *([(size - at, 0, at)] if at else [])])
    for parts in itertools.product(*cuts):
        firsts = tuple(sum(p[i] * s for p, s in zip(parts, steps)) for i in (0, 1))
        sizes = tuple(p[2] for p in parts)
        yield _Box(sizes, (firsts[0], firsts[1]), (tuple(steps), tuple(steps)))


def _permuted(shape: Sequence[int], order: Sequence[int]) -> Iterator[_Box]:
    steps = steps_of(shape)
    sizes = tuple(shape[i] for i in order)
    yield _Box(sizes, (0, 0), (tuple(steps_of(sizes)), tuple(steps[i] for i in order)))


def _blocks(node: Node) -> Iterator[_Box]:
    bh, bw = node.integer("block_h"), node.integer("block_w")
    a, b, c, d = node.activations[0].shape
    if not node.attrs.get("in_is_NCHW", True):
        order = (0, 1, 3, 4, 2, 5) if node.flag("swap_cr") else (0, 1, 3, 2, 4, 5)
        return _permuted((a, b // bh, bh, c // bw, bw, d), order)
    if node.flag("is_inversed"):
        order = (0, 1, 3, 5, 2, 4) if node.flag("is_CRD") else (0, 3, 5, 1, 2, 4)
        return _permuted((a, b, c // bh, bh, d // bw, bw), order)
    if node.flag("is_CRD"):
        return _permuted((a, b // (bh * bw), bh, bw, c, d), (0, 1, 4, 2, 5, 3))
    return _permuted((a, bh, bw, b // (bh * bw), c, d), (0, 3, 4, 1, 5, 2))


def _why_not_blocks(node: Node) -> str | None:
    shape = node.activations[0].shape
    return why_not_alike(node) or (None if len(shape) == 4 else f"its input is {list(shape)}")


def _repeated(node: Node) -> Iterator[_Box]:
    shape, times = node.activations[0].shape, node.ints("tile")
    before, after = steps_of(shape), steps_of(node.output.shape)
    for turn in itertools.product(*map(range, times)):
        first = sum(i * n * s for i, n, s in zip(turn, shape, after))
        yield _Box(tuple(shape), (first, 0), (tuple(after), tuple(before)))


def _why_not_repeats(node: Node) -> str | None:
    rank = len(node.activations[0].shape)
    if len(node.ints("tile")) != rank:
        return f"tile is {list(node.ints('tile'))}, its input has {rank} axes"
    return why_not_alike(node)


def _inside(node: Node) -> Iterator[_Box]:
    """The operand between its padding."""
    before, after = node.activations[0].shape, steps_of(node.output.shape)
    first = sum(p * s for p, s in zip(node.ints("paddings"), after))
    yield _Box(tuple(before), (first, 0), (tuple(after), tuple(steps_of(before))))


def _why_not_padded(node: Node) -> str | None:
    if node.text("mode") != "constant":
        return f"mode is {node.text('mode')}"
    if min(node.ints("paddings"), default=0) < 0:
        return f"paddings are {list(node.ints('paddings'))}"
    return why_not_alike(node)


def _fill(e: Emitter, node: Node) -> None:
    """The result full of what pads it."""
    target, element = node.output, element_of(node.output)
    if target.dtype.is_float:
        bits = bits_of(node.number("val"), element)
    else:
        low, high = target.dtype.qrange
        bits = int(min(max(int(node.number("val")), low), high)) & 0xFF
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
    _fill(e, node)
    _move(e, node, _inside(node))


RULES = {
    "SwapDimInner": Rule(why_not_alike, lambda e, n: _move(e, n, _rolled(n))),
    "Depth2Space": Rule(_why_not_blocks, lambda e, n: _move(e, n, _blocks(n))),
    "Tile": Rule(_why_not_repeats, lambda e, n: _move(e, n, _repeated(n))),
    "Pad": Rule(_why_not_padded, _pad),
}
