"""Tensors in the image buffer as strided numpy arrays, and copies between such arrays.

An op that only moves numbers is a list of copies between views of its operand and of its result;
the views are those of numpy, the copies run in csrc/move.c.
"""

from __future__ import annotations

import numpy as np

from tpuc.kernels._int8 import View
from tpuc.kernels._move import Move
from tpuc.kernels.requant_words import Unfit

__all__ = ["Moves", "as_array", "common_split", "copying", "split_axes"]


class Moves:
    """Copies, one after another."""

    def __init__(self, *moves: Move) -> None:
        self.moves = moves

    def run(self, threads: int) -> None:
        for move in self.moves:
            move.run(threads)


def as_array(view: View, shape: tuple[int, ...]) -> np.ndarray:
    """An image as an array of the tensor's axes: stored bytes, or float32.

    Parameters
    ----------
    shape : tuple of int
        Of the tensor; the first dimension is taken from the image, whose batch may be larger.
    """
    image, row, pixel = view.strides
    dtype = np.dtype(np.uint8 if view.element == 1 else np.float32)
    inner = [row * int(np.prod(shape[i + 1 : -1])) for i in range(2, len(shape) - 1)]
    strides = (image, dtype.itemsize, *inner, pixel)[: len(shape)]
    whole = (view.shape[0], *shape[1:])
    return np.ndarray(whole, dtype, view.memory, view.origin, strides)


def split_axes(x: np.ndarray, parts: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """A view with each axis split into several: sizes by axis of `x`."""
    shape: list[int] = []
    strides: list[int] = []
    for sizes, stride in zip(parts, x.strides, strict=True):
        for i, size in enumerate(sizes):
            shape.append(size)
            strides.append(stride * int(np.prod(sizes[i + 1 :])))
    return np.lib.stride_tricks.as_strided(x, shape, strides)


def common_split(
    before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Sizes into which both shapes' axes split, so that a reshape only renames axes.

    Raises
    ------
    Unfit : there are none, as for (2, 3) and (3, 2)
    """
    edges = sorted({int(e) for s in (before, after) for e in np.cumprod((1, *s[::-1]))})
    if any(b % a for a, b in zip(edges, edges[1:])):
        raise Unfit(f"{before} and {after} have no common axes")

    def parts(shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        ends = [int(e) for e in np.cumprod((1, *shape[::-1]))]
        found = []
        for low, high in zip(ends, ends[1:]):
            inside = [e for e in edges if low <= e <= high]
            found.append(tuple(b // a for a, b in zip(inside, inside[1:]))[::-1])
        return tuple(found[::-1])

    return parts(before), parts(after)


def copying(source: np.ndarray, target: np.ndarray) -> Move | None:
    """The copy of `source` to `target`, of equal shape and type; None if they are empty.

    Raises
    ------
    ValueError : shapes or types differ
    """
    if source.shape != target.shape or source.dtype != target.dtype:
        raise ValueError(f"{source.dtype} {source.shape} to {target.dtype} {target.shape}")
    if not source.size:
        return None
    axes = [a for a in zip(target.shape, source.strides, target.strides) if a[0] != 1]
    axes.sort(key=lambda a: (-abs(a[2]), -abs(a[1])))
    merged: list[tuple[int, int, int]] = []
    for count, step_in, step_out in axes:
        if merged and merged[-1][1:] == (count * step_in, count * step_out):
            count *= merged.pop()[0]
        merged.append((count, step_in, step_out))
    while len(merged) < 2:
        merged.insert(0, (1, 0, 0))
    together = [i for i, a in enumerate(merged[:-1]) if a[1] == target.itemsize]
    if together and merged[-1][1] != target.itemsize:
        merged.insert(len(merged) - 2, merged.pop(together[-1]))
    counts, steps_in, steps_out = zip(*merged)
    return Move(source, target, counts, steps_in, steps_out)
