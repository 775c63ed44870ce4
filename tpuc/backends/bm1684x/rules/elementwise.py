"""Ops of one number, or of two at the same place, in 8 bits.

Add, Sub:  saturate(half_up(a * m0 >> s0) +- half_up(b * m1 >> s1)), terms int16
Mul:       saturate(half_up(a * b * m >> s))
int32:     a + b + ..., saturated
others:    a table of all 256 results, computed by the reference
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S8, S16, S32, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, dense, element_of, pieces
from tpuc.backends.bm1684x.rules.frames import framed, why_not_shapes
from tpuc.backends.bm1684x.rules.rule import (
    BYTES,
    InBands,
    Rule,
    Step,
    near,
    same_rows,
    shape_of,
    why_not_bytes,
)
from tpuc.backends.bm1684x.rules.scaling import (
    is_scaling,
    scale,
    scale_whole,
    why_not_scaling,
)
from tpuc.backends.bm1684x.tiling import Band
from tpuc.ir import DType, Node, Value
from tpuc.kernels.reference import INTEGER_KERNELS

__all__ = ["RULES"]

_COPIES = 8  # bytes of each number: two operands, two terms (or a product), a result, rounded up
_LONGEST = 65535


def _covers_pair(node: Node) -> str | None:
    wrong = why_not_bytes(node) or why_not_shapes(node)
    if wrong:
        return wrong
    for value in node.inputs:
        assert value is not None
        if value.dtype not in BYTES:
            return f"operand '{value.name}' is {value.dtype}"
    return None if len(node.inputs) == 2 else f"has {len(node.inputs)} operands"


def _covers_sum(node: Node) -> str | None:
    if node.output.dtype == DType.SI32:
        return _covers_counts(node)
    wrong = _covers_pair(node)
    if wrong:
        return wrong
    factors, shifts = node.ints("multipliers"), node.ints("rshifts")
    if len(factors) != 2 or min(factors) < 0 or max(factors) > 127:
        return f"multipliers are {list(factors)}"
    return None if 0 <= min(shifts) <= max(shifts) < 64 else f"shifts are {list(shifts)}"


def _covers_counts(node: Node) -> str | None:
    """Why a sum of int32 has no instructions."""
    for value in node.inputs:
        if value is None or value.dtype != DType.SI32:
            return f"adds {value and value.dtype} to int32"
    if node.op != "Add" or node.ints("multipliers") or node.flag("do_relu"):
        return "is int32 with multipliers or limits"
    return why_not_shapes(node)


def _load(e: Emitter, value: Value, start: int, shape: Shape) -> Local:
    place = e.take(shape, element_of(value))
    e.load(Remote(e.addresses[value.name] + start, dense(shape)), place)
    return place


def _sum(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    if node.output.dtype == DType.SI32:
        y = e.take(operands[0].shape, S32)
        tiu.add_saturated(e, y, *operands[:2])
        for more in operands[2:]:
            tiu.add_saturated(e, y, y, more)
        return y
    factors = zip(node.ints("multipliers"), node.ints("rshifts"))
    combine = tiu.add_saturated if node.op == "Add" else tiu.subtract_saturated
    shape = operands[0].shape
    terms = []
    for x, factor in zip(operands, factors):
        terms.append(e.take(shape, S16))
        tiu.multiply_shift(e, terms[-1], x, factor)
    if node.flag("is_reverse"):
        terms = terms[::-1]
    y = e.take(shape, element_of(node.output))
    if y.element.signed:
        combine(e, y, *terms)
        if node.flag("do_relu"):
            tiu.raise_to_zero(e, y)
    else:  # a sum of signed numbers saturates to a signed type
        combine(e, terms[0], *terms)
        tiu.cast(e, y, terms[0])
    return y


def _product(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    wide = e.take(operands[0].shape, S32)
    y = e.take(wide.shape, element_of(node.output))
    tiu.multiply(e, wide, *operands)
    tiu.requantize(e, y, wide, (node.integer("multiplier"), node.integer("rshift")), tiu.HALF_UP)
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)
    return y


def _covers_slopes(node: Node) -> str | None:
    wrong = _covers_pair(node)
    if wrong:
        return wrong
    if node.attrs.get("multiplier_pos") is not None:
        return "scales what is not below 0"
    kinds = {v.dtype for v in (*node.inputs, node.output) if v is not None}
    return None if kinds == {DType.SI8} else f"is of {sorted(map(str, kinds))}"


def _sloped(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    """max(x, 0) + saturate(half_up(min(x, 0) * slope >> r)), one of which is 0."""
    x, slopes = operands
    low, wide, y = e.take(x.shape, S8), e.take(x.shape, S32), e.take(x.shape, S8)
    tiu.lower_to_zero(e, low, x)
    tiu.multiply(e, wide, low, slopes)
    tiu.requantize(e, y, wide, (1, node.integer("rshift")), tiu.HALF_UP)
    tiu.subtract_saturated(e, low, x, low)
    tiu.add_saturated(e, y, y, low)
    return y


def _covers_mul(node: Node) -> str | None:
    return why_not_scaling(node) if is_scaling(node) else _covers_pair(node)


_PAIR = framed(_covers_sum, _sum)
_PRODUCT = framed(_covers_pair, _product)


def _mul(e: Emitter, node: Node) -> None:
    (scale if is_scaling(node) else _PRODUCT.emit)(e, node)


def _mul_whole(e: Emitter, node: Node, stays: bool) -> None:
    assert _PRODUCT.whole is not None
    (scale_whole if is_scaling(node) else _PRODUCT.whole)(e, node, stays)


def _covers_table(node: Node) -> str | None:
    wrong = why_not_bytes(node)
    if wrong or len(node.activations) != 1 or node.inputs[0] is not node.activations[0]:
        return wrong or f"has {len(node.activations)} computed operands"
    if any(v is not None and v.size not in (1, 256) for v in node.inputs[1:]):
        return "its constant differs along the tensor"
    return None


def _table_of(node: Node) -> np.ndarray:
    """(256,) results, by the byte of the operand."""
    operands = [None if v is None else v.data for v in node.inputs[1:]]
    while operands and operands[-1] is None:
        operands.pop()
    numbers = np.arange(256, dtype=np.uint8).view(node.activations[0].dtype.numpy)
    return np.asarray(INTEGER_KERNELS[node.op](node, numbers, *operands)).view(np.uint8)


def _load_table(e: Emitter, node: Node) -> Local:
    return e.load_block(np.repeat(_table_of(node).reshape(1, 256), LANES, axis=0))


def _table(e: Emitter, node: Node) -> None:
    e.begin(node)
    block = _load_table(e, node)
    for start, lanes, width in pieces(node.output.size, e.longest(_COPIES)):
        with e.scope():
            shape = 1, lanes, 1, width
            index = _load(e, node.activations[0], start, shape)
            y = e.take(shape, element_of(node.output))
            tiu.look_up(e, y, block, index)
            e.store(y, Remote(e.addresses[node.output.name] + start, dense(shape)))


def _table_whole(e: Emitter, node: Node, stays: bool) -> None:
    block = _load_table(e, node)
    x = e.fetch(node.activations[0], shape_of(node.output))
    y = e.take(x.shape, element_of(node.output))
    row = 1, x.shape[1], 1, x.shape[2] * x.shape[3]
    if row[3] > _LONGEST:
        raise NoRoom(f"{node}: has pictures of {row[3]} numbers; expected at most {_LONGEST}")
    tiu.look_up(e, replace(y, shape=row), block, replace(x, shape=row))
    e.finish(node.output, y, stays)


def _start_table(e: Emitter, node: Node, _: bool) -> Step:
    block = _load_table(e, node)

    def run(operands: Sequence[Local | Remote], band: Band) -> Local:
        (x,) = near(operands)
        row = 1, x.shape[1], 1, x.shape[2] * x.shape[3]
        if row[3] > _LONGEST:
            raise NoRoom(f"{node}: has rows of {row[3]} numbers; expected at most {_LONGEST}")
        y = e.take(x.shape, element_of(node.output))
        tiu.look_up(e, replace(y, shape=row), block, replace(x, shape=row))
        return y

    return Step(run)


def _start_mul(e: Emitter, node: Node, is_far: bool) -> Step:
    if is_scaling(node) or _PRODUCT.in_bands is None:
        raise NoRoom(f"{node}: its factors are for whole pictures")
    return _PRODUCT.in_bands.start(e, node, is_far)


_UNARY = ("Lut", "MulShift", "AddConst", "SubConst", "MaxConst", "MinConst", "Relu", "LeakyRelu")

RULES = {
    **dict.fromkeys(("Add", "Sub"), _PAIR),
    "PRelu": framed(_covers_slopes, _sloped),
    "Mul": Rule(_covers_mul, _mul, _mul_whole, InBands(_start_mul, same_rows)),
    **dict.fromkeys(
        (*_UNARY, "Active"),
        Rule(_covers_table, _table, _table_whole, InBands(_start_table, same_rows)),
    ),
}
