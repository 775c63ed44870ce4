"""Sums, products and extremes of integers, and the requantization of int32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.registry import clip, finish, kernel
from tpuc.numerics.qdm import shift_two_steps
from tpuc.numerics.rounding import round_away, shift_half_away, shift_half_up

__all__ = ["scaled"]


def scaled(node: Node, sums: np.ndarray, m: np.ndarray | int, r: np.ndarray | int) -> np.ndarray:
    """sums * m >> r in the op's form of requantization and rounding."""
    if node.attrs.get("quant_mode") == "QDM":
        return shift_two_steps(sums, m, r)
    shift = shift_half_up if node.attrs["round_mode"] == "HalfUp" else shift_half_away
    return shift(sums * m, r)


@kernel("RequantIntAxis")
def _requant_axis(node: Node, x: np.ndarray, words: np.ndarray) -> np.ndarray:
    shape = (1, -1, *([1] * (x.ndim - 2)))
    m, r, zero = (words[:, i].astype(np.int64).reshape(shape) for i in range(3))
    return finish(node, scaled(node, x.astype(np.int64), m, r) + zero)


@kernel("RequantInt")
def _requant(node: Node, x: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * node.integer("multiplier")
    return finish(node, shift_half_away(product, node.integer("rshift")))


@kernel("RequantFp")
def _requant_by_scale(node: Node, x: np.ndarray) -> np.ndarray:
    """In float32, halves away from zero."""
    scaled = x.astype(np.float32) * np.float32(node.number("scale"))
    return finish(node, round_away(scaled + np.float32(node.number("offset"))).astype(np.int64))


@kernel("MatMul")
def _matmul(node: Node, x: np.ndarray, y: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    x = np.swapaxes(x, -1, -2) if node.attrs["left_transpose"] else x
    y = np.swapaxes(y, -1, -2) if node.attrs["right_transpose"] else y
    sums = (x.astype(np.float64) @ y.astype(np.float64)).astype(np.int64)
    sums = sums if b is None else sums + b.astype(np.int64)
    m, r = node.ints("multipliers")[0], node.ints("rshifts")[0]
    return finish(node, scaled(node, sums, m, r))


@kernel("Scale")
def _scale(node: Node, x: np.ndarray, *weights: np.ndarray) -> np.ndarray:
    """The sum is cut at 16 bits, signed as the result; the shift rounds down."""
    shape = (1, -1, *([1] * (x.ndim - 2)))
    w, b, left = (v.reshape(shape).astype(np.int64) for v in weights)
    low, high = (-32768, 32767) if node.output.dtype.is_signed else (0, 65535)
    return finish(node, np.clip(x.astype(np.int64) * w + b, low, high) >> -left)


@kernel("Add")
def _add(node: Node, *operands: np.ndarray) -> np.ndarray:
    total: Any = 0
    if not node.ints("multipliers"):  # sums of int32
        return finish(node, np.sum([x.astype(np.int64) for x in operands], axis=0))
    if _shares_shift(node):
        total = sum(_products(node, operands))
        return finish(node, shift_half_up(total, node.ints("rshifts")[0]))
    for x, m, r in zip(operands, node.ints("multipliers"), node.ints("rshifts")):
        total = total + shift_half_up(x.astype(np.int64) * m, r)
    return finish(node, total)


def _shares_shift(node: Node) -> bool:
    """True if the products are added before one shift."""
    return len(node.ints("rshifts")) < len(node.ints("multipliers"))


def _products(node: Node, operands: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [x.astype(np.int64) * m for x, m in zip(operands, node.ints("multipliers"))]


@kernel("Sub")
def _sub(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if _shares_shift(node):
        first, second = _products(node, (x, y))
        difference = second - first if node.flag("is_reverse") else first - second
        return finish(node, shift_half_up(difference, node.ints("rshifts")[0]))
    terms = [
        shift_half_up(v.astype(np.int64) * m, r)
        for v, m, r in zip((x, y), node.ints("multipliers"), node.ints("rshifts"))
    ]
    left, right = terms[::-1] if node.flag("is_reverse") else terms
    return finish(node, left - right)


@kernel("Mul")
def _mul(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * y.astype(np.int64)
    m, r = node.integer("multiplier"), node.integer("rshift")
    if node.attrs.get("quant_mode") == "QDM":
        return finish(node, shift_two_steps(product, m, r))
    return finish(node, shift_half_up(product * m, r))


@kernel("Reduce")
def _reduce(node: Node, x: np.ndarray) -> np.ndarray:
    fold = {"ReduceMax": np.max, "ReduceMin": np.min}.get(node.text("mode"), np.sum)
    wide = x.astype(np.int64)
    total = fold(wide, axis=node.ints("axes"), keepdims=node.flag("keepdims"))
    scaled = shift_half_up(total * node.integer("multiplier"), node.integer("rshift"))
    return finish(node, scaled.reshape(node.output.shape))


@kernel("MulShift")
def _mul_shift(node: Node, x: np.ndarray) -> np.ndarray:
    product = x.astype(np.int64) * node.integer("multiplier")
    return finish(node, shift_half_up(product, node.integer("rshift")))


@kernel("AddConst")
def _add_const(node: Node, x: np.ndarray) -> np.ndarray:
    total = x.astype(np.int64) * node.integer("multiplier") + int(node.number("const_val"))
    return finish(node, shift_half_up(total, node.integer("rshift")))


@kernel("SubConst")
def _sub_const(node: Node, x: np.ndarray) -> np.ndarray:
    total = x.astype(np.int64) * node.integer("multiplier") - int(node.number("const_val"))
    total = -total if node.attrs["is_reverse"] else total
    return finish(node, shift_half_up(total, node.integer("rshift")))


@kernel("Max", stored=True)
def _max(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _extremum(node, np.maximum, x, y)


@kernel("Min", stored=True)
def _min(node: Node, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _extremum(node, np.minimum, x, y)


def _extremum(node: Node, choose: Callable[..., np.ndarray], *operands: np.ndarray) -> np.ndarray:
    """Of the integers themselves, or of what multipliers with one shift make of them."""
    if not node.ints("multipliers"):
        return clip(node, choose(*(x.astype(np.int64) for x in operands)))
    chosen = choose(*_products(node, operands))
    return finish(node, shift_half_up(chosen, node.ints("rshifts")[0]))


@kernel("MaxConst")
def _max_const(node: Node, x: np.ndarray) -> np.ndarray:
    return clip(node, np.maximum(x.astype(np.int64), int(node.number("const_val"))))


@kernel("MinConst")
def _min_const(node: Node, x: np.ndarray) -> np.ndarray:
    return clip(node, np.minimum(x.astype(np.int64), int(node.number("const_val"))))
