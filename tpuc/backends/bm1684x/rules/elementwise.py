"""Ops of one number, or of two at the same place, in pieces of any shape.

Add, Sub:  saturate(half_up(a * m0 >> s0) +- half_up(b * m1 >> s1)), terms int16
Mul:       saturate(half_up(a * b * m >> s))
others:    a table of all 256 results, computed by the reference
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANE_BYTES, LANES, S16, S32, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, Remote, dense, element_of, pieces
from tpuc.backends.bm1684x.rules.rule import Rule, why_not_bytes
from tpuc.ir import Node, Value
from tpuc.kernels.reference import INTEGER_KERNELS

__all__ = ["RULES"]

_WIDEST = (LANE_BYTES // 2 - 512) // 16 // 64 * 64


def _covers_pair(node: Node) -> str | None:
    wrong = why_not_bytes(node)
    if wrong:
        return wrong
    if len(node.activations) != 2 or len(node.inputs) != 2:
        return f"has {len(node.activations)} computed operands of {len(node.inputs)}"
    shapes = [list(v.shape) for v in (*node.activations, node.output)]
    return None if shapes[0] == shapes[1] == shapes[2] else f"operands have shapes {shapes[:2]}"


def _covers_sum(node: Node) -> str | None:
    wrong = _covers_pair(node)
    if wrong:
        return wrong
    factors, shifts = node.ints("multipliers"), node.ints("rshifts")
    if len(factors) != 2 or min(factors) < 0 or max(factors) > 127:
        return f"multipliers are {list(factors)}"
    return None if 0 <= min(shifts) <= max(shifts) < 64 else f"shifts are {list(shifts)}"


def _load(e: Emitter, value: Value, start: int, shape: Shape) -> Local:
    place = e.take(shape, element_of(value))
    e.load(Remote(e.addresses[value.name] + start, dense(shape)), place)
    return place


def _store(e: Emitter, node: Node, y: Local, start: int) -> None:
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)
    e.store(y, Remote(e.addresses[node.output.name] + start, dense(y.shape)))


def _sum(e: Emitter, node: Node) -> None:
    factors = list(zip(node.ints("multipliers"), node.ints("rshifts")))
    combine = tiu.add_saturated if node.op == "Add" else tiu.subtract_saturated
    for start, lanes, width in pieces(node.output.size, _WIDEST):
        e.begin(node)
        shape = 1, lanes, 1, width
        terms = []
        for value, factor in zip(node.activations, factors):
            x, term = _load(e, value, start, shape), e.take(shape, S16)
            tiu.multiply_shift(e, term, x, factor)
            terms.append(term)
        if node.flag("is_reverse"):
            terms = terms[::-1]
        wide, y = e.take(shape, S16), e.take(shape, element_of(node.output))
        if y.element.signed:
            combine(e, y, *terms)
        else:  # a sum of signed numbers saturates to a signed type
            combine(e, wide, *terms)
            tiu.cast(e, y, wide)
        _store(e, node, y, start)


def _product(e: Emitter, node: Node) -> None:
    factor = node.integer("multiplier"), node.integer("rshift")
    for start, lanes, width in pieces(node.output.size, _WIDEST):
        e.begin(node)
        shape = 1, lanes, 1, width
        a, b = (_load(e, v, start, shape) for v in node.activations)
        wide, y = e.take(shape, S32), e.take(shape, element_of(node.output))
        tiu.multiply(e, wide, a, b)
        tiu.requantize(e, y, wide, factor, tiu.HALF_UP)
        _store(e, node, y, start)


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


def _table(e: Emitter, node: Node) -> None:
    table = np.repeat(_table_of(node).reshape(1, 256), LANES, axis=0)
    e.begin(node)
    block = e.load_block(table)
    for start, lanes, width in pieces(node.output.size, _WIDEST):
        with e.scope():
            shape = 1, lanes, 1, width
            index = _load(e, node.activations[0], start, shape)
            y = e.take(shape, element_of(node.output))
            tiu.look_up(e, y, block, index)
            e.store(y, Remote(e.addresses[node.output.name] + start, dense(shape)))


_UNARY = ("Lut", "MulShift", "AddConst", "SubConst", "MaxConst", "MinConst", "Relu", "LeakyRelu")

RULES = {
    "Add": Rule(_covers_sum, _sum),
    "Sub": Rule(_covers_sum, _sum),
    "Mul": Rule(_covers_pair, _product),
    **dict.fromkeys((*_UNARY, "Active"), Rule(_covers_table, _table)),
}
