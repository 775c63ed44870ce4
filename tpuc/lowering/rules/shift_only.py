"""Conv, Deconv, MatMul and Scale in INT8 for processors that requantize by a right shift alone.

    r    = the last shift with max|w| * s_in / s_out * 2**r < 127, over the whole weight
           (smaller if more than 3 % of the biases would leave 16 bits)
    wq   = saturate(round(w * float32(2**r * s_in / s_out)))
    bias = saturate(round(b * float32(2**r / s_out))), int16
    y    = saturate((sum(x * wq) + bias) >> r), rounding half up

Nothing is per channel: a quiet channel has few steps. A Conv without such a shift, or with a stride
above 15, is float; a MatMul then takes r = 0. Scale has r for each channel, and the half that
rounds is part of its bias, cut at 16 bits as the sum is:
    y    = saturate(saturate16(x * wq + bias) >> r)
Source: TPU-MLIR's lowering for BM1684, measured with its interpreter.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.right_shift import bias_shift, filter_shift, quantize_by, term_shift

__all__ = ["SHIFT_ONLY_INT8"]

_MOST_STRIDE = 15


def _bias(node: Node) -> np.ndarray | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None or value.data is None or not np.any(value.data != 0):
        return None
    return value.data.reshape(-1)


def _operands(
    ctx: Lowering, node: Node, x: Value, shift: int
) -> tuple[int, tuple[Value, Value, Value | None]]:
    """Shift after a look at the biases; input, weight and bias."""
    assert x.quant is not None
    s_in, s_out = x.quant.scale, ctx.scale(node.output)
    w, b = node.weight(1), _bias(node)
    bias = None
    if b is not None:
        shift = bias_shift(b, shift, s_out)
        words = quantize_by(b, 2.0**shift / s_out, 16)
        bias = ctx.weight(f"{node.name}_bias_int16", words, DType.SI16)
    q = quantize_by(w, 2.0**shift * s_in / s_out)
    return shift, (x, ctx.weight(f"{node.name}_filter_int8", q, DType.SI8), bias)


def _first_shift(ctx: Lowering, node: Node) -> int:
    source = node.inputs[0]
    assert source is not None
    _, quant = ctx.int_type(source, node.name)
    largest = float(np.abs(node.weight(1)).max())
    return filter_shift(largest, quant.scale / ctx.scale(node.output))


def lower_conv(ctx: Lowering, node: Node) -> str | None:
    """Conv to Conv2D with multiplier 1."""
    source, filters = node.inputs[:2]
    assert source is not None and filters is not None
    if not filters.is_weight:
        return "its filter is computed"
    if len(node.ints("kernel_shape")) != 2:
        return f"its kernel has shape {node.ints('kernel_shape')}"
    if max(node.ints("strides")) > _MOST_STRIDE:
        return f"its strides are {node.ints('strides')}; at most {_MOST_STRIDE} here"
    shift = _first_shift(ctx, node)
    if shift < 0:
        return "its weights are too large for a right shift"
    shift, operands = _operands(ctx, node, ctx.as_int(source, node.name), shift)
    channels = filters.shape[0]
    keys = ("kernel_shape", "strides", "pads", "dilations", "group")
    attrs = {k: node.attrs[k] for k in keys if k in node.attrs}
    attrs.update(do_relu=node.flag("do_relu"), quant_mode="OnlyShift")
    attrs.update(multiplier=(1,) * channels, rshift=(shift,) * channels)
    ctx.emit_int(node, "Conv2D", operands, attrs)
    return None


def lower_deconv(ctx: Lowering, node: Node) -> str | None:
    """Deconv to an int32 Deconv and a RequantIntAxis with multiplier 1."""
    source, filters = node.inputs[:2]
    assert source is not None and filters is not None
    if not filters.is_weight:
        return "its filter is computed"
    shift = _first_shift(ctx, node)
    if shift < 0:
        return "its weights are too large for a right shift"
    shift, operands = _operands(ctx, node, ctx.as_int(source, node.name), shift)
    keys = ("kernel_shape", "strides", "pads", "dilations", "group", "output_padding")
    attrs = {k: node.attrs[k] for k in keys if k in node.attrs}
    raw = Value("", node.output.shape, DType.SI32, QuantType(1.0))
    acc = ctx.helper(f"{node.name}_i32", "Deconv", operands, raw, attrs)
    words = np.tile([1, shift, 0], (node.output.shape[1], 1))
    quant = ctx.weight(f"{node.name}_quant_int32", words, DType.SI32)
    end: dict[str, Attr] = {"do_relu": node.flag("do_relu"), "round_mode": "HalfUp"}
    ctx.emit_int(node, "RequantIntAxis", [acc, quant], end)
    return None


def lower_matmul(ctx: Lowering, node: Node) -> str | None:
    """MatMul of rows by a constant matrix."""
    left, right = node.inputs[:2]
    assert left is not None and right is not None
    turned = node.flag("left_transpose") or node.flag("right_transpose")
    if right.data is None or right.data.ndim != 2 or len(left.shape) != 2 or turned:
        return "it is no product of rows by a constant matrix"
    shift = max(_first_shift(ctx, node), 0)
    shift, operands = _operands(ctx, node, ctx.as_int(left, node.name), shift)
    attrs: dict[str, Attr] = {
        "multipliers": (1,),
        "rshifts": (shift,),
        "do_relu": node.flag("do_relu"),
        "quant_mode": "OnlyShift",
        "round_mode": "HalfUp",
    }
    ctx.emit_int(node, "MatMul", operands, attrs)
    return None


def lower_scale(ctx: Lowering, node: Node) -> str | None:
    """Scale, per channel."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    s_in, s_out = x.quant.scale, ctx.scale(node.output)
    scales, biases = node.weight(1).reshape(-1), node.weight(2).reshape(-1)
    shifts, words, factors = [], [], []
    for index, scale in enumerate(scales):
        bias = biases[index : index + 1]
        shift = bias_shift(bias, term_shift(float(scale), s_in / s_out), s_out)
        word = int(quantize_by(bias, 2.0**shift / s_out, 16)[0])
        half = (1 << shift) >> 1
        words.append(word + half if word + half <= 32767 else word)
        factors.append(quantize_by(scale, 2.0**shift * s_in / s_out))
        shifts.append(shift)
    weights = [
        ctx.weight(f"{node.name}_scale_int8", np.array(factors), DType.SI8),
        ctx.weight(f"{node.name}_bias_int16", np.array(words), DType.SI16),
        ctx.weight(f"{node.name}_lshift_i8", -np.array(shifts), DType.SI8),
    ]
    ctx.emit_int(node, "Scale", [x, *weights], {"do_relu": node.flag("do_relu")})
    return None


SHIFT_ONLY_INT8 = {
    "Conv": lower_conv,
    "Deconv": lower_deconv,
    "MatMul": lower_matmul,
    "Scale": lower_scale,
}
