"""Axes of tensors that are read together, as few as possible, and their parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANES, Shape, up

__all__ = ["Axes", "Part", "joint_axes", "parts_of", "steps_of"]

_LONGEST = 65535  # sizes in commands have 16 bits


def steps_of(shape: Sequence[int]) -> list[int]:
    """Elements from one number to the next, along each axis of a dense tensor."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


@dataclass(frozen=True)
class Axes:
    """Sizes, and for each tensor the steps along them; 0 where it has one number for all."""

    sizes: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]


def joint_axes(shape: Sequence[int], operands: Sequence[Sequence[int]]) -> Axes:
    """Axes of a result of `shape` and of operands that are repeated to it.

    Axes of length 1 vanish; two that follow one another in every tensor become one.
    """
    rank = len(shape)
    every = [[(1,) * (rank - len(o)) + tuple(o), steps_of(o)] for o in (shape, *operands)]
    steps = [
        [s if n != 1 else 0 for n, s in zip(full, (0,) * (rank - len(own)) + tuple(own))]
        for full, own in every
    ]
    kept: list[tuple[int, list[int]]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        now = [s[axis] for s in steps]
        if kept and all(before == size * step for before, step in zip(kept[-1][1], now)):
            kept[-1] = kept[-1][0] * size, now
        else:
            kept.append((size, now))
    kept = kept or [(1, [1] * len(steps))]
    return Axes(tuple(n for n, _ in kept), tuple(zip(*(s for _, s in kept))))


@dataclass(frozen=True)
class Part:
    """(N, C, H, W) of a part, and for each tensor its first element and its steps."""

    shape: Shape
    firsts: tuple[int, ...]
    steps: tuple[Shape, ...]


def parts_of(axes: Axes, longest: int, wide: int = 64) -> Iterator[Part]:
    """Parts with at most `longest` numbers in each lane; pictures begin on `wide` numbers."""
    if len(axes.sizes) == 1:
        yield from _runs(axes, longest)
        return
    last = len(axes.sizes) - 1
    lanes = max(range(last), key=lambda i: (min(axes.sizes[i], LANES), axes.sizes[i]))
    rows = [i for i in range(last) if i != lanes]
    row = rows.pop() if rows else None
    order = [*rows, lanes, *([] if row is None else [row]), last]
    w = min(axes.sizes[last], longest, _LONGEST)
    h = 1 if row is None else min(axes.sizes[row], max(longest // w, 1), _LONGEST)
    c = min(axes.sizes[lanes], LANES * max(longest // up(h * w, wide), 1))
    most = [*[1] * len(rows), c, *([] if row is None else [h]), w]
    for starts, counts in _boxes([axes.sizes[i] for i in order], most):
        firsts = tuple(sum(a * s[i] for a, i in zip(starts, order)) for s in axes.steps)
        shape = 1, counts[len(rows)], 1 if row is None else counts[-2], counts[-1]
        steps: tuple[Shape, ...] = tuple(
            (0, s[lanes], s[last] if row is None else s[row], s[last]) for s in axes.steps
        )
        yield Part(shape, firsts, steps)


def _runs(axes: Axes, longest: int) -> Iterator[Part]:
    """One axis, cut into runs for all lanes."""
    start, count = 0, axes.sizes[0]
    while start < count:
        lanes = LANES if count - start >= LANES else 1
        width = min((count - start) // lanes, longest, _LONGEST)
        yield Part(
            (1, lanes, 1, width),
            tuple(start * s[0] for s in axes.steps),
            tuple((0, width * s[0], width * s[0], s[0]) for s in axes.steps),
        )
        start += lanes * width


def _boxes(sizes: Sequence[int], most: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """(starts, counts) of boxes that fill a space."""
    if not sizes:
        yield [], []
        return
    for start in range(0, sizes[0], most[0]):
        count = min(most[0], sizes[0] - start)
        for starts, counts in _boxes(sizes[1:], most[1:]):
            yield [start, *starts], [count, *counts]
