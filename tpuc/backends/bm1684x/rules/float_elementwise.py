"""Sums, products and limits of floats: each rounded once to its type.

A constant that the type does not hold is applied in float32: y = round(float32(x) op c).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F16, F32, Local
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.floats import from_stored, stored
from tpuc.backends.bm1684x.rules.frames import framed, why_not_shapes
from tpuc.backends.bm1684x.rules.rule import BYTES, Rule, why_not_floats
from tpuc.ir import DType, Node, Value

__all__ = ["RULES", "holds", "narrow", "narrow_to_bytes", "relu", "rounded_to", "widen"]

_LARGEST = 3.4028234663852886e38
_NAMES = {"Add": "add", "Sub": "sub", "Mul": "mul", "Max": "max", "Min": "min", "Div": "div"}


def holds(number: float, dtype: DType) -> bool:
    """Whether a type has exactly this float32."""
    return rounded_to(number, dtype) == float(np.float32(number))


def rounded_to(number: float, dtype: DType) -> float:
    """A number as a float type holds it."""
    code = {DType.F16: 1, DType.BF16: 5}.get(dtype, 2)
    return float(from_stored(stored(np.array([number], np.float32), dtype), code)[0])


def widen(e: Emitter, x: Local) -> Local:
    """x in float32, in place of its own if it is that already."""
    if x.element == F32:
        return x
    wide = e.take(x.shape, F32)
    tiu_float.convert(e, wide, x)
    return wide


def narrow(e: Emitter, node: Node, wide: Local) -> Local:
    """Float32 rounded to the type of the result; to bytes as a cast of halves does, in place."""
    element = element_of(node.output)
    if node.output.dtype in BYTES:
        return narrow_to_bytes(e, node.output, wide)
    if element == F32:
        return wide
    y = e.take(wide.shape, element)
    tiu_float.convert(e, y, wide)
    return y


def narrow_to_bytes(e: Emitter, target: Value, wide: Local) -> Local:
    """saturate(half_away(half(x * half(1 / scale)))) of float32."""
    assert target.quant is not None
    y, short = e.take(wide.shape, element_of(target)), e.take(wide.shape, F16)
    tiu_float.combine(e, "mul", wide, wide, rounded_to(1.0 / target.quant.scale, DType.F16))
    tiu_float.convert(e, short, wide)
    tiu_float.convert(e, y, short, tiu_float.AWAY)
    return y


def relu(e: Emitter, node: Node, y: Local) -> None:
    """Fused limits, in place."""
    if node.flag("do_relu"):
        high = node.number("relu_limit")
        tiu_float.limit(e, y, 0.0, high if high > 0 else None)


def _covers(node: Node) -> str | None:
    wrong = why_not_floats(node) or why_not_shapes(node)
    if wrong:
        return wrong
    coeff = node.attrs.get("coeff")
    if isinstance(coeff, tuple) and any(float(c) != 1.0 for c in coeff):
        return f"coeff is {list(coeff)}"
    if len(node.inputs) < 2:
        return f"has {len(node.inputs)} operands"
    return _why_not_limit(node)


def _why_not_limit(node: Node) -> str | None:
    limit = node.number("relu_limit") if node.flag("do_relu") else 0.0
    if limit > 0 and not holds(limit, node.output.dtype):
        return f"relu_limit {limit} is no {node.output.dtype}"
    return None


def _fold(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    """((o0 op o1) op o2) ...: float32 between, rounded once."""
    terms = list(operands[::-1] if node.flag("is_reverse") else operands)
    if len(terms) > 2 or node.op == "Div":
        terms = [widen(e, x) for x in terms]
    y = e.take(terms[0].shape, terms[0].element)
    left = terms[0]
    for right in terms[1:]:
        tiu_float.combine(e, _NAMES[node.op], y, left, right)
        left = y
    relu(e, node, y)
    return narrow(e, node, y) if y.element == F32 else y


def _covers_one(node: Node) -> str | None:
    if len(node.inputs) != 1:
        return f"has {len(node.inputs)} operands"
    return why_not_floats(node) or _why_not_limit(node)


_Step = Callable[[Emitter, Node, Local, Local], None]


def _one(step: _Step, constants: Callable[[Node], Sequence[float]]) -> Rule:
    """An op of one operand and constants, in float32 where its type has not got them."""

    def compute(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
        (x,) = operands
        if not all(holds(c, node.output.dtype) for c in constants(node)):
            x = widen(e, x)
        y = e.take(x.shape, x.element)
        step(e, node, y, x)
        relu(e, node, y)
        return narrow(e, node, y) if y.element == F32 else y

    return framed(_covers_one, compute)


def _const(name: str) -> _Step:
    def step(e: Emitter, node: Node, y: Local, x: Local) -> None:
        sides: tuple[Local | float, Local | float] = x, node.number("const_val")
        if node.flag("is_reverse"):
            sides = sides[::-1]
        tiu_float.combine(e, name, y, *sides)

    return step


def _limits(low: str, high: str) -> _Step:
    def step(e: Emitter, node: Node, y: Local, x: Local) -> None:
        tiu_float.combine(e, "max", y, x, node.number(low) if low else 0.0)
        top = node.number(high)
        if top > 0 or low:
            tiu_float.combine(e, "min", y, y, min(top, _LARGEST))

    return step


def _leaky(e: Emitter, node: Node, y: Local, x: Local) -> None:
    tiu_float.combine(e, "mul", y, x, node.number("alpha"))
    tiu_float.choose(e, y, (x, "<", 0.0), y, x)


def _covers_slopes(node: Node) -> str | None:
    slopes = node.inputs[1]
    if slopes is None or slopes.data is None:
        return "its slopes are computed"
    return why_not_floats(node) or why_not_shapes(node)


def _sloped(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    """x, or x * slope below 0."""
    x, slopes = operands
    y = e.take(x.shape, x.element)
    tiu_float.combine(e, "mul", y, x, slopes)
    tiu_float.choose(e, y, (x, "<", 0.0), y, x)
    return y


def _const_of(node: Node) -> Sequence[float]:
    return [node.number("const_val")]


RULES = {
    **dict.fromkeys(_NAMES, framed(_covers, _fold)),
    "AddConst": _one(_const("add"), _const_of),
    "SubConst": _one(_const("sub"), _const_of),
    "MulConst": _one(_const("mul"), _const_of),
    "MaxConst": _one(_const("max"), _const_of),
    "MinConst": _one(_const("min"), _const_of),
    "Relu": _one(_limits("", "relu_limit"), lambda n: [n.number("relu_limit")]),
    "Clip": _one(_limits("min", "max"), lambda n: [n.number("min"), n.number("max")]),
    "PRelu": framed(_covers_slopes, _sloped),
    "LeakyRelu": _one(_leaky, lambda n: [n.number("alpha")]),
}
