"""Boxes of a tensor that are put elsewhere: what ops that move numbers are made of."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tpuc.backends.bm1684x.command import Shape
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules.axes import steps_of
from tpuc.ir import Node

__all__ = ["Box", "Run", "boxes_of", "in_line", "move", "permuted", "runs_of", "why_not_boxes"]

_LONGEST = 65535  # sizes in commands have 16 bits
_MOST = 4096  # commands of an op
_MOST_APART = 64


@dataclass(frozen=True)
class Box:
    """Sizes of axes; of both sides the first number, and the numbers from one to the next."""

    sizes: tuple[int, ...]
    firsts: tuple[int, int]  # target, source
    steps: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Run:
    """Numbers along one axis: `count` of them from `source` on, `step` apart."""

    target: int
    source: int
    count: int
    step: int = 1
    apart: int = 1  # in the target


def runs_of(indices: Sequence[int]) -> list[Run]:
    """The fewest runs whose numbers are those of a source at `indices`.

    Numbers of a run may lie apart in the target, as those do that are repeated.
    """
    best: list[Run] = []
    for apart in range(1, min(len(indices), _MOST_APART) + 1):
        found = [
            run for phase in range(apart) for run in in_line(indices[phase::apart], phase, apart)
        ]
        if not best or len(found) < len(best):
            best = found
    return best


def in_line(indices: Sequence[int], phase: int, apart: int) -> Iterator[Run]:
    """Neighbours with equal steps of at least 1: the DMA repeats and turns nothing."""
    at = 0
    while at < len(indices):
        count, step = 1, 1
        while at + count < len(indices):
            now = indices[at + count] - indices[at + count - 1]
            if now < 1 or (count > 1 and now != step):
                break
            count, step = count + 1, now
        yield Run(phase + at * apart, indices[at], count, step, apart)
        at += count


def boxes_of(
    before: Sequence[int], after: Sequence[int], runs: Sequence[Sequence[Run]]
) -> Iterator[Box]:
    """A box for each choice of a run along every axis of dense tensors."""
    source, target = steps_of(before), steps_of(after)
    for some in itertools.product(*runs):
        yield Box(
            tuple(r.count for r in some),
            (
                sum(r.target * s for r, s in zip(some, target)),
                sum(r.source * s for r, s in zip(some, source)),
            ),
            (
                tuple(r.apart * s for r, s in zip(some, target)),
                tuple(r.step * s for r, s in zip(some, source)),
            ),
        )


def permuted(shape: Sequence[int], order: Sequence[int]) -> Iterator[Box]:
    """All numbers, axes in another order."""
    steps = steps_of(shape)
    sizes = tuple(shape[i] for i in order)
    yield Box(sizes, (0, 0), (tuple(steps_of(sizes)), tuple(steps[i] for i in order)))


def why_not_boxes(boxes: Callable[[Node], Iterator[Box]], node: Node) -> str | None:
    """Why an op has too many boxes."""
    parts = (part for box in boxes(node) for part in _of_four(_joined(box)))
    if next(itertools.islice(parts, _MOST, None), None) is None:
        return None
    return f"moves more than {_MOST} boxes of its operand"


def move(e: Emitter, node: Node, boxes: Iterator[Box]) -> None:
    """Copy them within global memory."""
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


def _joined(box: Box) -> Box:
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
    return Box(tuple(n for n, *_ in kept), box.firsts, steps)


def _of_four(box: Box) -> Iterator[Box]:
    """Parts of at most four axes, none longer than a command can say."""
    box = _folded(box)
    counts = [1 if i < len(box.sizes) - 4 else _LONGEST for i in range(len(box.sizes))]
    ranges = [range(0, size, count) for size, count in zip(box.sizes, counts)]
    for starts in itertools.product(*ranges):
        ends = zip(starts, box.sizes, counts)
        sizes = tuple(min(count, size - start) for start, size, count in ends)
        firsts = tuple(
            first + sum(i * s for i, s in zip(starts, steps))
            for first, steps in zip(box.firsts, box.steps)
        )
        yield Box(sizes[-4:], firsts, (box.steps[0][-4:], box.steps[1][-4:]))  # type: ignore[arg-type]


def _folded(box: Box) -> Box:
    """A last axis that is too long as two, if that leaves nothing over."""
    last = box.sizes[-1]
    width = _width(last)
    if width == last:
        return box
    steps = [(*s[:-1], width * s[-1], s[-1]) for s in box.steps]
    return Box((*box.sizes[:-1], last // width, width), box.firsts, (steps[0], steps[1]))


@cache
def _width(length: int) -> int:
    """The longest width that a command can say and that divides it, or the length itself."""
    if length <= _LONGEST:
        return length
    return next((w for w in range(_LONGEST, _LONGEST // 2, -1) if length % w == 0), length)
