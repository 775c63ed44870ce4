"""Element-wise arithmetic in INT8 where requantization is a right shift.

    r = floor(log2(127 / (|c| * s_i / s_o))), in 0..31
    m = saturate(round(c * float32(2**r * s_i / s_o)))
Add, Sub:           y = saturate((a * m0 >> r0) +- (b * m1 >> r1)), c of `coeff`
AddConst, SubConst: y = saturate((x * m + K) >> r), c = 1, K = round(const * float32(2**r / s_o))
                    in 16 bit
MulConst:           y = saturate(x * m >> r), c = const
Mul:                as with multipliers, but never shifted left
`>>` rounds half up. A negative multiplier makes Add and Sub float,
and a difference is float if an operand has the larger threshold. Source: TPU-MLIR's lowering for
BM1684.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tpuc.ir import Attr, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.elementwise import constant_operand, reaches_further, scale_of
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.right_shift import quantize_by, term_shift

__all__ = ["SHIFT_TERMS_INT8"]


def _word(coefficient: float, factor: float) -> tuple[int, int]:
    """(m, r) of one term; m < 0 where there is none."""
    shift = term_shift(coefficient, factor)
    whole = -(2.0**31) if shift == 31 else 2.0**shift  # 1 << 31 in 32 bits
    return int(quantize_by(np.array(coefficient), whole * factor)), shift


def _operand(ctx: Lowering, node: Node, value: Value) -> Value:
    if value.is_weight:
        return constant_operand(ctx, node, value, None)
    return ctx.as_int(value, node.name)


def lower_sum(ctx: Lowering, node: Node) -> str | None:
    """Add, or Sub, of activations and constants."""
    reason = reaches_further(ctx, node) if node.op == "Sub" else None
    if reason is not None:
        return reason
    given: Any = node.attrs.get("coeff")
    s_out = ctx.scale(node.output)
    operands, ms, rs = [], [], []
    for value, c in zip(node.inputs, given or (1.0,) * len(node.inputs)):
        assert value is not None
        operands.append(_operand(ctx, node, value))
        m, r = _word(float(c), scale_of(operands[-1]) / s_out)
        ms.append(m)
        rs.append(r)
    if min(ms) < 0:
        return f"its multipliers are {ms}; expected none below 0"
    attrs: dict[str, Attr] = {"multipliers": tuple(ms), "rshifts": tuple(rs)}
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    if node.op == "Sub":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, node.op, operands, attrs)
    return None


def lower_mul(ctx: Lowering, node: Node) -> str | None:
    """Mul of two operands."""
    if len(node.inputs) != 2:
        return f"it has {len(node.inputs)} operands"
    operands = [_operand(ctx, node, v) for v in node.inputs if v is not None]
    factor = scale_of(operands[0]) * scale_of(operands[1]) / ctx.scale(node.output)
    m, r = multiplier_shift(factor, 8)
    attrs: dict[str, Attr] = {"multiplier": m, "rshift": min(max(r, 0), 31)}
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    ctx.emit_int(node, "Mul", operands, attrs)
    return None


def lower_constant(ctx: Lowering, node: Node) -> str | None:
    """AddConst, SubConst and MulConst."""
    reason = reaches_further(ctx, node) if node.op == "SubConst" else None
    if reason is not None:
        return reason
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    s_out, const = ctx.scale(node.output), node.number("const_val")
    product = node.op == "MulConst"
    m, r = _word(const if product else 1.0, scale_of(x) / s_out)
    attrs: dict[str, Attr] = {"multiplier": m, "rshift": r}
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    if not product:
        attrs["const_val"] = float(quantize_by(np.array(const), 2.0**r / s_out, 16))
    if node.op == "SubConst":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, "MulShift" if product else node.op, [x], attrs)
    return None


SHIFT_TERMS_INT8 = {
    "Add": lower_sum,
    "Sub": lower_sum,
    "Mul": lower_mul,
    "AddConst": lower_constant,
    "SubConst": lower_constant,
    "MulConst": lower_constant,
}
