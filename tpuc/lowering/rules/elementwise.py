"""Element-wise arithmetic in INT8; `>>` rounds half up everywhere.

x, a and b are the integers less their zero points; with zero points y gets its own at the end.

Add:      y = saturate((a * m0 >> r0) + (b * m1 >> r1)), m, r of coeff * s_i / s_o in 8 bit
Sub:      the same with a difference, and constants in the result's scale; float if an operand's
          threshold is above the result's
Mul:      y = saturate(a * b * m >> r), m, r of s_a * s_b / s_o
MulConst: y = saturate(x * m >> r), m, r of s_i * c / s_o
AddConst: y = saturate((x * m + K) >> r), K = round(c / s_o) << r; float with zero points
SubConst: alike; with zero points y = saturate(K - x), K = round(c / s_in)
Max, Min: of the raw integers (TPU-MLIR ignores scales here unless the ranges were unified), zero
          points included; MaxConst and MinConst give max(x, round(c / s_out)) without a zero point
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import AsF32, Lowering
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["ELEMENTWISE_INT8", "constant_operand", "reaches_further", "scale_of"]


def scale_of(value: Value) -> float:
    """Scale of an integer tensor."""
    assert value.quant is not None
    return value.quant.scale


def _relu(node: Node) -> dict[str, Attr]:
    return {"do_relu": bool(node.attrs.get("do_relu", False))}


def _const(node: Node) -> float:
    return node.number("const_val")


def constant_operand(ctx: Lowering, node: Node, value: Value, scale: float | None) -> Value:
    """A weight operand in 8 bit: scale max / 127 (255 if no value is negative), in float32."""
    assert value.data is not None
    data = value.data.astype(np.float64)
    unsigned = data.min() >= 0
    largest = np.abs(value.data).max()
    fit = float(np.float32(largest) / np.float32(255.0 if unsigned else 127.0))
    own = scale if scale is not None else max(fit, 1e-10)
    low, high = (0, 255) if unsigned else (-128, 127)
    q = np.clip(round_away(data / own), low, high)
    dtype = DType.UI8 if unsigned else DType.SI8
    return ctx.weight(f"{value.name}_{dtype}", q, dtype, QuantType(own))


def lower_add(ctx: Lowering, node: Node) -> str | None:
    """Add, or Sub, of activations and constants."""
    given: Any = node.attrs.get("coeff")
    coeff = given or (1.0,) * len(node.inputs)
    s_out = ctx.scale(node.output)
    operands, ms, rs = [], [], []
    for value, c in zip(node.inputs, coeff):
        assert value is not None
        if value.is_weight:
            own = s_out if node.op == "Sub" else None
            x = constant_operand(ctx, node, value, own)
        else:
            x = ctx.as_int(value, node.name)
        m, r = multiplier_shift(float(c) * scale_of(x) / s_out, 8, True)
        operands.append(x)
        ms.append(m)
        rs.append(r)
    attrs = {"multipliers": tuple(ms), "rshifts": tuple(rs), **_relu(node)}
    if node.op == "Sub":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, node.op, operands, attrs)
    return None


def lower_sub(ctx: Lowering, node: Node) -> str | None:
    """Sub of two operands, one possibly constant."""
    if len(node.inputs) != 2:
        return f"it has {len(node.inputs)} operands"
    reason = reaches_further(ctx, node)
    if reason is None and ctx.asymmetric:
        reason = AsF32("differences have no form with zero points")
    return reason or lower_add(ctx, node)


def reaches_further(ctx: Lowering, node: Node) -> str | None:
    """Why a difference is float: an operand has the larger threshold, as the table gives them."""
    largest = max(_threshold(ctx, v) for v in node.inputs if v is not None)
    if _threshold(ctx, node.output) < largest:
        return "an operand reaches further than the difference"
    return None


def _threshold(ctx: Lowering, value: Value) -> float:
    if value.data is not None:
        return float(np.abs(value.data).max())
    span = ctx.imported.get(value.name) or ctx.ranges[value.name]
    return max(abs(bound) for bound in span)


def lower_mul(ctx: Lowering, node: Node) -> str | None:
    """Mul of two operands."""
    if len(node.inputs) != 2:
        return f"it has {len(node.inputs)} operands"
    operands = []
    for value in node.inputs:
        assert value is not None
        if value.is_weight:
            operands.append(constant_operand(ctx, node, value, None))
        else:
            operands.append(ctx.as_int(value, node.name))
    factor = scale_of(operands[0]) * scale_of(operands[1]) / ctx.scale(node.output)
    m, r = multiplier_shift(factor, 8)
    ctx.emit_int(node, "Mul", operands, {"multiplier": m, "rshift": r, **_relu(node)})
    return None


def _source(ctx: Lowering, node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return ctx.as_int(value, node.name)


def lower_mul_const(ctx: Lowering, node: Node) -> str | None:
    """MulConst to MulShift."""
    x = _source(ctx, node)
    m, r = multiplier_shift(scale_of(x) / ctx.scale(node.output) * _const(node), 8)
    ctx.emit_int(node, "MulShift", [x], {"multiplier": m, "rshift": r, **_relu(node)})
    return None


def lower_add_const(ctx: Lowering, node: Node) -> str | None:
    """AddConst, and SubConst in both directions."""
    reason = reaches_further(ctx, node) if node.op == "SubConst" else None
    if reason is not None:
        return reason
    if ctx.asymmetric and node.op == "AddConst":
        return "sums with a constant have no form with zero points"
    x = _source(ctx, node)
    s_out = ctx.scale(node.output)
    m, r = multiplier_shift(scale_of(x) / s_out, 8, True)
    if ctx.asymmetric:
        (m, r), s_out = (1, 0), scale_of(x)
    k = float(round_away(_const(node) / s_out)) * 2.0**r
    attrs: dict[str, Attr] = {"multiplier": m, "rshift": r, "const_val": k, **_relu(node)}
    if node.op == "SubConst":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, node.op, [x], attrs)
    return None


def lower_extremum(ctx: Lowering, node: Node) -> str | None:
    """Max and Min of activations."""
    if any(v is None or v.is_weight for v in node.inputs):
        return "one operand is a constant tensor"
    operands = [ctx.as_int(v, node.name) for v in node.inputs if v is not None]
    ctx.emit_int(node, node.op, operands)
    return None


def lower_extremum_const(ctx: Lowering, node: Node) -> str | None:
    """MaxConst and MinConst: the constant in the output's scale."""
    x = _source(ctx, node)
    k = float(round_away(_const(node) / ctx.scale(node.output)))
    ctx.emit_int(node, node.op, [x], {"const_val": k})
    return None


ELEMENTWISE_INT8 = {
    "Add": lower_add,
    "Sub": lower_sub,
    "Mul": lower_mul,
    "MulConst": lower_mul_const,
    "AddConst": lower_add_const,
    "SubConst": lower_add_const,
    "Max": lower_extremum,
    "Min": lower_extremum,
    "MaxConst": lower_extremum_const,
    "MinConst": lower_extremum_const,
}
