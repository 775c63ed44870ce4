"""Norms of floats: a row for each norm, in float32.

LayerNorm, GroupNorm, InstanceNorm:  c = x - mean,  y = c / sqrt(mean(c c) + eps) * weight + bias
RMSNorm:                             y = x / sqrt(mean(x x) + eps) * weight
BF16:                                the same with every step rounded to bfloat16, as the simulator
                                     has it; the root of InstanceNorm stays float32

Weights are those of a row's numbers, or of its channels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import BF16, F32, LANES, Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote
from tpuc.backends.bm1684x.rules.along import (
    Constants,
    along,
    over_all,
    sum_in_turn,
    why_not_rows,
)
from tpuc.backends.bm1684x.rules.float_elementwise import narrow, rounded_to, widen
from tpuc.backends.bm1684x.rules.quotients import quotient, root
from tpuc.ir import DType, Node

__all__ = ["RULES"]


def _covers(node: Node) -> str | None:
    for value in node.inputs[1:]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    if node.op == "GroupNorm" and node.output.dtype == DType.BF16:
        return "is bf16"
    return why_not_rows(node, mixed=node.op != "InstanceNorm")


def _given(node: Node) -> list[np.ndarray | None]:
    """Weight and bias."""
    values = (*node.inputs[1:], None, None)[:2]
    return [None if v is None else v.data for v in values]


def _of_numbers(e: Emitter, node: Node, first: int, count: int) -> Constants:
    """The same in each lane: one for each number of a row."""
    found: list[Local | None] = []
    for data in _given(node):
        if data is None:
            found.append(None)
            continue
        flat = np.ascontiguousarray(data.reshape(-1), "<f4")
        place = e.take((1, LANES, 1, flat.size), F32)
        e.load(Remote(e.constant(flat), (0, 0, flat.size, 1)), place)
        found.append(place)
    return Constants(*found)


def _of_channels(e: Emitter, node: Node, first: int, count: int) -> Constants:
    """For each row the numbers of its channels."""
    samples, channels = node.output.shape[:2]
    each = channels // node.integer("num_groups") if node.op == "GroupNorm" else 1
    found: list[Local | None] = []
    for data in _given(node):
        if data is None:
            found.append(None)
            continue
        rows = np.tile(data.reshape(-1).astype("<f4"), samples).reshape(-1, each)
        place = e.take((1, count, each, 1), F32)
        e.load(Remote(e.constant(rows[first : first + count]), (0, each, 1, 1)), place)
        found.append(place)
    return Constants(*found)


def _apply(e: Emitter, y: Local, constants: Constants) -> None:
    """y * weight + bias in place, float32."""
    for name, place in (("mul", constants.weight), ("add", constants.bias)):
        if place is not None:
            channels = place.shape[2]
            seen = replace(y, shape=(1, y.shape[1], channels, y.shape[3] // channels))
            tiu_float.combine(e, name, seen, seen, place)


def _norm(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    if x.element == BF16:
        return _norm_short(e, node, x, constants)
    x = widen(e, x)
    mean, y = e.take((*x.shape[:3], 1), F32), e.take(x.shape, F32)
    if node.op == "RMSNorm":
        y = x
    else:
        _mean(e, node, mean, x)
        tiu_float.combine(e, "sub", y, x, mean)
    with e.scope():
        square = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", square, y, y)
        _mean(e, node, mean, square)
    tiu_float.combine(e, "add", mean, mean, node.number("eps"))
    deviation = e.take(mean.shape, F32)
    root(e, deviation, mean)
    quotient(e, mean, 1.0, deviation)
    tiu_float.combine(e, "mul", y, y, mean)
    _apply(e, y, constants)
    return narrow(e, node, y)


def _mean(e: Emitter, node: Node, y: Local, x: Local) -> None:
    """Mean of each row; that of InstanceNorm is a sum of shares, in the chip's own order."""
    size = x.shape[3]
    if node.op == "InstanceNorm":
        tiu_float.total(e, y, x, over_all(x.shape), 1.0 / size)
        return
    with e.scope():
        total = e.take(y.shape, F32)
        sum_in_turn(e, total, x)
        quotient(e, y, total, float(size))


def _norm_short(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    """Every step rounded to bfloat16, but for the running sums."""
    window, share = over_all(x.shape), rounded_to(1.0 / x.shape[3], DType.BF16)
    one = (*x.shape[:3], 1)
    wide, sums = e.take(x.shape, F32), e.take(one, F32)
    y, square, short = e.take(x.shape, BF16), e.take(x.shape, BF16), e.take(one, BF16)
    if node.op == "RMSNorm":
        y = x
    else:
        tiu_float.convert(e, wide, x)
        tiu_float.total(e, sums, wide, window, share)
        tiu_float.convert(e, short, sums)
        tiu_float.combine(e, "sub", y, x, short)
    tiu_float.combine(e, "mul", square, y, y)
    late = share if node.op == "InstanceNorm" else 1.0  # its terms stay float32
    if late == 1.0:
        tiu_float.combine(e, "mul", square, square, share)
    tiu_float.convert(e, wide, square)
    tiu_float.total(e, sums, wide, window, late)
    tiu_float.convert(e, short, sums)
    tiu_float.combine(e, "add", short, short, node.number("eps"))
    tiu_float.convert(e, sums, short)
    _scale_short(e, node, (y, wide), (sums, short))
    for name, place in (("mul", constants.weight), ("add", constants.bias)):
        if place is not None:
            tiu_float.convert(e, wide, y)
            _apply(e, wide, Constants(**{"weight" if name == "mul" else "bias": place}))
            tiu_float.convert(e, y, wide)
    return y


def _scale_short(
    e: Emitter, node: Node, big: tuple[Local, Local], small: tuple[Local, Local]
) -> None:
    """y / sqrt(sums) in place."""
    (y, wide), (sums, short) = big, small
    root = e.take(sums.shape, F32)
    tiu_float.reciprocal_root(e, root, sums)
    if node.op == "InstanceNorm":
        tiu_float.convert(e, wide, y)
        tiu_float.combine(e, "mul", wide, wide, root)
        tiu_float.convert(e, y, wide)
        return
    tiu_float.combine(e, "mul", sums, sums, root)
    tiu_float.convert(e, short, sums)
    tiu_float.convert(e, sums, short)
    tiu_float.combine(e, "div", sums, 1.0, sums)
    tiu_float.convert(e, short, sums)
    tiu_float.combine(e, "mul", y, y, short)


RULES = {
    **dict.fromkeys(("LayerNorm", "RMSNorm"), along(_covers, _norm, _of_numbers)),
    **dict.fromkeys(("GroupNorm", "InstanceNorm"), along(_covers, _norm, _of_channels, each=True)),
}
