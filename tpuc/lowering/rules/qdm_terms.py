"""Element-wise ops, pools and joins in INT8 with truncated 7-bit multipliers.

    q_i = c_i * th_i / th_out;  m_i = trunc(q_i * 2**r), r shared: the first with
    max|q| * 2**(r + 1) >= 127
Add, Sub:  y = saturate((sum of x_i * m_i) >> r)
Max, Min:  y = saturate((max of x_i * m_i) >> r)
Concat:    y = saturate(x_i * m_i >> r_i), where thresholds differ by more than 1e-5
AvgPool:   y = saturate(sum * m >> r), q = th_in / (th_out * kh * kw)
LeakyRelu: y = saturate(x * m >> r), with other m and r below 0: of |alpha| * th_in / th_out
PRelu:     the same, below 0 m = round(slope * th_in / th_out * 2**r), r of the largest
Mul:       y = saturate((a * b * M >> 31) >> r), M and r of s_a * s_b / s_out as in a Conv
`>>` rounds half up, but for Mul. SubConst and MulConst are tables, AddConst is float.
Source: TPU-MLIR's lowering for CV18xx, measured with its interpreter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.activation import lower_lut
from tpuc.lowering.rules.elementwise import reaches_further, scale_of
from tpuc.lowering.rules.movement import join
from tpuc.numerics.qdm import short_multiplier, short_shift, two_step_words
from tpuc.numerics.rounding import round_away

__all__ = ["QDM_TERMS_INT8"]

_SAME = 1e-5
"""Thresholds that differ by less count as equal."""


def _shared_words(
    ctx: Lowering, node: Node, operands: list[Value], coeffs: list[float]
) -> dict[str, Attr]:
    """Multipliers with one shift for all operands."""
    s_out = ctx.scale(node.output)
    single = [float(np.float32(c * scale_of(x) / s_out)) for x, c in zip(operands, coeffs)]
    shift = short_shift(max(abs(q) for q in single))
    return {
        "multipliers": tuple(short_multiplier(q, shift)[0] for q in single),
        "rshifts": (shift,),
    }


def _computed(ctx: Lowering, node: Node) -> list[Value] | None:
    """The operands as integers; None if one is constant."""
    if any(v is None or v.is_weight for v in node.inputs):
        return None
    return [ctx.as_int(v, node.name) for v in node.inputs if v is not None]


def lower_sum(ctx: Lowering, node: Node) -> str | None:
    """Add, or Sub, of activations."""
    operands = _computed(ctx, node)
    if operands is None:
        return "one operand is a constant tensor"
    if node.op == "Sub" and operands[0].size < operands[1].size:
        _sum_with_negated(ctx, node, operands)
        return None
    given: Any = node.attrs.get("coeff")
    coeffs = [float(c) for c in given or (1.0,) * len(operands)]
    attrs = _shared_words(ctx, node, operands, coeffs)
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    if node.op == "Sub":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, node.op, operands, attrs)
    return None


def _sum_with_negated(ctx: Lowering, node: Node, operands: list[Value]) -> None:
    """A difference from what repeats: -128 becomes 127 before it is added."""
    small, large = operands
    q = np.arange(256)
    table = np.clip(-np.where(q > 127, q - 256, q), -128, 127)
    negated = Value("", large.shape, large.dtype, large.quant)
    weight = ctx.weight(f"{node.name}_mulconst_table", table, DType.SI8)
    negated = ctx.helper(f"{node.name}_mulconst", "Lut", [large, weight], negated)
    attrs = _shared_words(ctx, node, [small, negated], [1.0, 1.0])
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    ctx.emit_int(node, "Add", [small, negated], attrs)


def lower_extremum(ctx: Lowering, node: Node) -> str | None:
    """Max and Min of activations."""
    operands = _computed(ctx, node)
    if operands is None:
        return "one operand is a constant tensor"
    words = _shared_words(ctx, node, operands, [1.0] * len(operands))
    ctx.emit_int(node, node.op, operands, words)
    return None


def lower_mul(ctx: Lowering, node: Node) -> str | None:
    """Mul of two activations."""
    operands = _computed(ctx, node)
    if operands is None:
        return "one operand is a constant tensor"
    if len(operands) != 2:
        return f"it has {len(operands)} operands"
    factor = scale_of(operands[0]) * scale_of(operands[1]) / ctx.scale(node.output)
    m, r = (int(word[0]) for word in two_step_words(np.array([factor])))
    attrs: dict[str, Attr] = {"multiplier": m, "rshift": r, "quant_mode": "QDM"}
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    ctx.emit_int(node, "Mul", operands, attrs)
    return None


def lower_concat(ctx: Lowering, node: Node) -> str | None:
    """Concat."""
    return join(ctx, node, _concat_words)


def _concat_words(
    own: tuple[DType, QuantType], wanted: tuple[DType, QuantType]
) -> dict[str, Attr] | None:
    th_in, th_out = own[1].scale * 127.0, wanted[1].scale * 127.0
    if abs(th_in - th_out) <= _SAME:
        return None
    m, r = short_multiplier(th_in / th_out)
    return {"multiplier": m, "rshift": r}


def _slopes(ctx: Lowering, node: Node) -> tuple[Value, float]:
    """The operand, and its threshold over the result's."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    return x, scale_of(x) / ctx.scale(node.output)


def lower_leaky(ctx: Lowering, node: Node) -> str | None:
    """LeakyRelu."""
    x, ratio = _slopes(ctx, node)
    m, r = (1, 0) if abs(ratio - 1.0) < _SAME else short_multiplier(ratio)
    below = abs(float(np.float32(ratio * node.number("alpha"))))
    m_neg, r_neg = short_multiplier(below)
    words: dict[str, Attr] = {"multiplier": m, "rshift": r}
    words.update(multiplier_neg=m_neg, rshift_neg=r_neg)
    ctx.emit_int(node, "LeakyRelu", [x], words)
    return None


def lower_prelu(ctx: Lowering, node: Node) -> str | None:
    """PRelu."""
    x, ratio = _slopes(ctx, node)
    m, r = (1, 0) if abs(ratio - 1.0) < _SAME else short_multiplier(ratio)
    below = node.weight(1).astype(np.float64) * ratio
    shift = short_shift(float(np.abs(below).max()))
    slopes = np.clip(round_away(below * 2.0**shift), -128, 127)
    weight = ctx.weight(f"{node.name}_slope_i8", slopes, DType.SI8)
    words: dict[str, Attr] = {"rshift": shift, "multiplier_pos": m, "rshift_pos": r}
    ctx.emit_int(node, "PRelu", [x, weight], words)
    return None


def lower_difference(ctx: Lowering, node: Node) -> str | None:
    """SubConst, as a table."""
    return reaches_further(ctx, node) or lower_lut(ctx, node)


def lower_add_const(ctx: Lowering, node: Node) -> str | None:
    """AddConst has no integer form."""
    return "a sum with a constant has no INT8 form on this processor"


def lower_reduce(ctx: Lowering, node: Node) -> str | None:
    """Reduce: sums, means, maxima and minima."""
    mode = node.text("mode")
    if mode not in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
        return f"{mode} has no INT8 form"
    x, ratio = _slopes(ctx, node)
    if mode == "ReduceMean":
        ratio /= int(np.prod([x.shape[a] for a in node.ints("axes")]))
    m, r = short_multiplier(ratio)
    keys = ("axes", "keepdims", "mode")
    words: dict[str, Attr] = {k: node.attrs[k] for k in keys}
    ctx.emit_int(node, "Reduce", [x], {**words, "multiplier": m, "rshift": r})
    return None


QDM_TERMS_INT8 = {
    "Add": lower_sum,
    "Sub": lower_sum,
    "Max": lower_extremum,
    "Min": lower_extremum,
    "Mul": lower_mul,
    "Concat": lower_concat,
    "LeakyRelu": lower_leaky,
    "PRelu": lower_prelu,
    "Reduce": lower_reduce,
    "MulConst": lower_lut,
    "SubConst": lower_difference,
    "AddConst": lower_add_const,
}
