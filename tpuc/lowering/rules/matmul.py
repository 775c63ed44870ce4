"""MatMul in INT8.

    s_w  = max|w| / 127 over the whole weight;  wq = saturate(round(w / s_w))
    bias = round(b / (s_w * s_in)), int32
    y    = saturate((((x - zp_in) @ wq + bias) * m >> r) + zp_out), rounding half away from zero
Two activations multiply with their own scales; m, r from float32(s_in * s_right / s_out). With zero
points such a product is F32.

Where processors have it (`wide_products`), the result has 16 bits, no zero point and
    s_out = s_8 * 255 / 65535
if all that reads it is an Add or a Softmax to which the quantize table gives a float type.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import AsF32, Lowering
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["MATMUL_INT8"]


def _quantize(w: np.ndarray) -> tuple[np.ndarray, float]:
    """Integer weight and its scale."""
    scale = float(np.abs(w).max()) / 127.0
    scale = scale if scale > 0 else 1.0
    q = np.clip(round_away(w.astype(np.float64) / scale), -128, 127)
    return q.astype(np.int8), scale


def _columns(q: np.ndarray, node: Node, shape: tuple[int, ...]) -> np.ndarray:
    """Sum of the weights of each column, in the shape of the bias; 0 where it has another size."""
    sums = q.sum(-1 if node.flag("right_transpose") else -2, dtype=np.int64)
    return np.asarray(sums).reshape(shape) if sums.size == np.prod(shape) else np.zeros(shape)


def lower_matmul(ctx: Lowering, node: Node) -> str | None:
    """MatMul with a constant or computed right operand."""
    left, right = node.inputs[:2]
    assert left is not None and right is not None
    if left.is_weight:
        return "its left operand is constant"
    if right.data is None and ctx.asymmetric:
        return AsF32("both operands are computed, and have zero points")
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    x = ctx.as_int(left, node.name)
    assert x.quant is not None
    out = _result(ctx, node)
    assert out.quant is not None
    s_in, s_out = ctx.step(x), out.quant.scale
    bias_q = None
    if right.data is not None:
        weight = right.data
        q, s_right = ctx.memo.of(weight, DType.SI8, lambda: _quantize(weight))
        r = ctx.weight(f"{node.name}_filter_int8", q, DType.SI8)
        if bias is not None and bias.data is not None and np.any(bias.data != 0):
            shares = x.quant.zero_point * _columns(q, node, bias.data.shape)
            real = bias.data.astype(np.float64) / (s_right * s_in)
            rounded = round_away(real - shares) + shares
            bias_q = ctx.weight(f"{node.name}_bias_int32", rounded, DType.SI32)
    else:
        if bias is not None:
            return "it has a bias and two computed operands"
        r = ctx.as_int(right, node.name)
        assert r.quant is not None
        s_right = r.quant.scale
    m, shift = multiplier_shift(float(np.float32(s_in * s_right / s_out)), 32)
    attrs: dict[str, Attr] = {
        "multipliers": (m,),
        "rshifts": (shift,),
        "do_relu": node.flag("do_relu"),
        "left_transpose": node.attrs["left_transpose"],
        "right_transpose": node.attrs["right_transpose"],
    }
    ctx.emit_int(node, "MatMul", [x, r, bias_q], attrs, out)
    return None


def _result(ctx: Lowering, node: Node) -> Value:
    """What the product is stored as."""
    dtype, quant = ctx.qtype(node.output)
    if node.name in ctx.wide:
        dtype, quant = DType.SI16, QuantType(quant.scale * 255 / 65535)
    return Value(node.name, node.output.shape, dtype, quant)


MATMUL_INT8 = {"MatMul": lower_matmul}
