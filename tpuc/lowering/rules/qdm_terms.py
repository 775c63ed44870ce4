"""Element-wise ops, pools and joins in INT8 with truncated 7-bit multipliers.

    q_i = c_i * th_i / th_out;  m_i = trunc(q_i * 2**r), r shared: the first with
    max|q| * 2**(r + 1) >= 127
Add, Sub:  y = saturate((sum of x_i * m_i) >> r)
Max, Min:  y = saturate((max of x_i * m_i) >> r)
Concat:    y = saturate(x_i * m_i >> r_i), where thresholds differ by more than 1e-5
AvgPool:   y = saturate(sum * m >> r), q = th_in / (th_out * kh * kw)
LeakyRelu: y = saturate(x * m >> r), with other m and r below 0: of |alpha| * th_in / th_out
Mul:       y = saturate((a * b * M >> 31) >> r), M and r of s_a * s_b / s_out as in a Conv
`>>` rounds half up, but for Mul. AddConst, SubConst and MulConst are tables.
Source: TPU-MLIR's lowering for CV18xx, measured with its interpreter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tpuc.ir import Attr, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.elementwise import scale_of
from tpuc.numerics.qdm import short_multiplier, short_shift

__all__ = ["QDM_TERMS_INT8"]


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
    given: Any = node.attrs.get("coeff")
    coeffs = [float(c) for c in given or (1.0,) * len(operands)]
    attrs = _shared_words(ctx, node, operands, coeffs)
    attrs["do_relu"] = bool(node.attrs.get("do_relu", False))
    if node.op == "Sub":
        attrs["is_reverse"] = node.flag("is_reverse")
    ctx.emit_int(node, node.op, operands, attrs)
    return None


QDM_TERMS_INT8 = {"Add": lower_sum, "Sub": lower_sum}
