"""Pictures of another size.

nearest:  y[i, j] = x[a(i), b(j)], copies
linear:   v = x[low] + part * (x[high] - x[low]) in rows, then in columns; float32, rounded once

Rows that lie equally far apart in the picture, and their neighbours, are loaded together, one in
each lane; columns are then moved within the lanes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, Element, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules.boxes import (
    Box,
    Run,
    boxes_of,
    in_line,
    move,
    runs_of,
    why_not_boxes,
)
from tpuc.backends.bm1684x.rules.float_elementwise import narrow, widen
from tpuc.backends.bm1684x.rules.movement import why_not_same
from tpuc.backends.bm1684x.rules.rule import BYTES, Rule, no_room, shape_of, why_not_floats
from tpuc.ir import Node

__all__ = ["FLOAT_RULES", "RULES"]

_MOST_RUNS = 256
_LONGEST = 65535


def _positions(node: Node, axis: int, kind: type) -> np.ndarray:
    """Where each result lies in the operand, by ONNX's coordinate transformations."""
    size, out = node.activations[0].shape[axis], node.output.shape[axis]
    given = node.number("scale_h" if axis == 2 else "scale_w")
    scale, coord = given if given > 0 else out / size, node.text("coord_mode")
    i: np.ndarray = np.arange(out, dtype=kind)
    if coord == "align_corners":
        return i * kind((size - 1) / (out - 1)) if out > 1 else np.zeros(out, kind)
    if coord == "asymmetric":
        return i / kind(scale)
    if coord == "pytorch_half_pixel" and out == 1:
        return np.zeros(1, kind)
    return (i + kind(0.5)) * kind(1.0 / scale) - kind(0.5)


def _nearest(node: Node) -> Iterator[Box]:
    before, after = node.activations[0].shape, node.output.shape
    runs = [[Run(0, 0, size)] for size in before[:2]]
    for axis in (2, 3):
        at = _positions(node, axis, np.float64)
        index = np.floor(at) if node.text("coord_mode") == "asymmetric" else np.ceil(at - 0.5)
        runs.append(runs_of(np.clip(index.astype(int), 0, before[axis] - 1).tolist()))
    return boxes_of(before, after, runs)


@dataclass(frozen=True)
class _Pair:
    """Results whose lower and higher neighbours both lie equally far apart."""

    low: Run
    high: Run
    share: np.ndarray  # float32, of the higher one


def _pairs(node: Node, axis: int) -> list[_Pair]:
    size = node.activations[0].shape[axis]
    at = np.clip(_positions(node, axis, np.float32), np.float32(0), np.float32(size - 1))
    low = np.floor(at).astype(int)
    high, share = np.minimum(low + 1, size - 1), (at - low).astype(np.float32)
    found = []
    for run in runs_of(low.tolist()):
        places = run.target + run.apart * np.arange(run.count)
        for part in in_line(high[places].tolist(), 0, 1):
            start = int(places[part.target])
            below = Run(start, int(low[start]), part.count, run.step, run.apart)
            some = places[part.target : part.target + part.count]
            found.append(_Pair(below, replace(part, target=start, apart=run.apart), share[some]))
    return found


def _covers_nearest(node: Node) -> str | None:
    if node.attrs["mode"] != "nearest":
        return f"mode is {node.attrs['mode']}"
    if len(node.output.shape) != 4:
        return f"its input has shape {list(node.activations[0].shape)}"
    return why_not_same(node) or why_not_boxes(_nearest, node)


def _covers(node: Node) -> str | None:
    if node.attrs["mode"] != "linear":
        return _covers_nearest(node)
    if len(node.output.shape) != 4:
        return f"its input has shape {list(node.activations[0].shape)}"
    runs = max(len(_pairs(node, axis)) for axis in (2, 3))
    wide = max(*node.activations[0].shape, *node.output.shape)
    if runs > _MOST_RUNS or wide > _LONGEST:
        return f"its rows or columns lie in {runs} ways apart; expected at most {_MOST_RUNS}"
    return why_not_floats(node, mixed=True)


def _emit(e: Emitter, node: Node) -> None:
    if node.attrs["mode"] != "linear":
        move(e, node, _nearest(node))
        return
    columns = _pairs(node, 3)
    for rows in _pairs(node, 2):
        _linear(e, node, rows, columns)


def _linear(e: Emitter, node: Node, rows: _Pair, columns: list[_Pair]) -> None:
    """All pictures, as many rows of a run and as many pictures at a time as fit."""
    n, c, _, wide = shape_of(node.activations[0])
    size, most_wide = element_of(node.activations[0]).size, node.output.shape[3]
    each = 2 * up(wide * size) + 4 * up(4 * wide) + 4 * up(4 * most_wide) + up(most_wide * size)
    each += up(most_wide) * (node.output.dtype in BYTES)
    e.begin(node)
    room = e.room - 2 * up(4 * most_wide) - up(4 * rows.low.count)
    if room < each:
        raise no_room(e, node, each)
    most = min(up(rows.low.count, LANES), room // each * LANES, _LONGEST)
    pictures = max(room // (each * up(most, LANES) // LANES), 1)
    for first in range(0, rows.low.count, most):
        count = min(most, rows.low.count - first)
        for picture in range(0, n * c, pictures):
            e.begin(node)
            some = min(pictures, n * c - picture)
            _emit_part(e, node, _some(rows, first, count), (columns, picture, some))


def _some(pair: _Pair, first: int, count: int) -> _Pair:
    low, high = (
        replace(
            run,
            target=run.target + first * run.apart,
            source=run.source + first * run.step,
            count=count,
        )
        for run in (pair.low, pair.high)
    )
    return _Pair(low, high, pair.share[first : first + count])


def _emit_part(e: Emitter, node: Node, rows: _Pair, rest: tuple[list[_Pair], int, int]) -> None:
    columns, picture, count = rest
    tall, wide = node.output.shape[2:]
    element = element_of(node.output)
    below, above = (_rows(e, node, run, (picture, count)) for run in (rows.low, rows.high))
    share = e.take((1, rows.low.count, 1, 1), F32)
    e.load(Remote(e.constant(rows.share), (0, 1, 1, 1)), share)
    _mix(e, below, above, share)
    shape = count, rows.low.count, 1, wide
    left, right = e.take(shape, F32), e.take(shape, F32)
    shares = np.zeros(wide, np.float32)
    for pair in columns:
        for whole, run in ((left, pair.low), (right, pair.high)):
            to, source = (run.target, run.apart), (run.source, run.step)
            tiu_float.move_columns(e, (whole, *to), (below, *source), run.count)
        shares[pair.low.target :: pair.low.apart][: pair.low.count] = pair.share
    row = e.take((1, LANES, 1, wide), F32)
    e.load(Remote(e.constant(shares), (0, 0, 0, 1)), row)
    _mix(e, left, right, row)
    start = (picture * tall + rows.low.target) * wide
    steps = tall * wide, rows.low.apart * wide, wide, 1
    far = Remote(e.addresses[node.output.name] + start * element.size, steps)
    e.store(narrow(e, node, left), far)


def _rows(e: Emitter, node: Node, run: Run, pictures: tuple[int, int]) -> Local:
    """Rows of some pictures in the lanes, float32."""
    _, _, tall, wide = node.activations[0].shape
    first, count = pictures
    element: Element = element_of(node.activations[0])
    place = e.take((count, run.count, 1, wide), element)
    start = (first * tall + run.source) * wide
    steps = tall * wide, run.step * wide, wide, 1
    e.load(Remote(e.addresses[node.activations[0].name] + start * element.size, steps), place)
    return widen(e, place)


def _mix(e: Emitter, low: Local, high: Local, share: Local) -> None:
    """low + share * (high - low), in place of low."""
    tiu_float.combine(e, "sub", high, high, low)
    tiu_float.combine(e, "mul", high, high, share)
    tiu_float.combine(e, "add", low, low, high)


RULES = {"Interp": Rule(_covers_nearest, _emit)}
FLOAT_RULES = {"Interp": Rule(_covers, _emit)}
