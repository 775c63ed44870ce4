"""Conv, Deconv, Scale and MatMul in INT8 for processors that shift a product twice.

    q    = max|w[c]| * th_in / (127 * th_out), below 1, large enough for the bias
    M, r = q as 31-bit multiplier and shift
    wq   = saturate(round(w * float32(th_in / th_out * 2**(r + 31) / M))), halves to even
    bias = the same of b with 127 / th_out, int32
    y    = saturate(((sum(x * wq) + bias) * M >> 31) >> r), halves up, then away from zero

The words are per channel; a MatMul has one pair for the whole weight. Activations are signed.
Source: TPU-MLIR's lowering for CV18xx, measured with its interpreter.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.qdm import channel_factors, quantize_by_words, two_step_words

__all__ = ["QDM_INT8", "lower_conv", "lower_deconv", "threshold_of"]

Words = tuple[np.ndarray, np.ndarray]


def threshold_of(ctx: Lowering, value: Value, user: str) -> float:
    """127 steps of an operand."""
    return ctx.int_type(value, user)[1].scale * 127.0


def _result_threshold(ctx: Lowering, node: Node) -> float:
    return max(abs(bound) for bound in ctx.ranges[node.output.name])


def _bias(node: Node) -> np.ndarray | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if value is None or value.data is None or not np.any(value.data != 0):
        return None
    return value.data.reshape(-1)


def _quantized(
    ctx: Lowering, node: Node, w: np.ndarray, b: np.ndarray | None, each: bool = True
) -> tuple[tuple[Value, Value, Value | None], Words]:
    """Operands, and (M, r) for each row of `w`, or for all of it."""
    source = node.inputs[0]
    assert source is not None
    th_in, th_out = threshold_of(ctx, source, node.name), _result_threshold(ctx, node)
    rows = np.abs(w).reshape(w.shape[0], -1).max(axis=1) if each else np.abs(w).max(keepdims=True)
    factors = channel_factors(rows.reshape(-1), b if each else None, th_in, th_out)
    if b is not None and not each:
        factors = channel_factors(np.repeat(rows.reshape(-1), len(b)), b, th_in, th_out)
        factors = factors.max(keepdims=True)
    words = two_step_words(factors)
    shape = (-1, *([1] * (w.ndim - 1)))
    ratio = np.float32(th_in) / np.float32(th_out)
    q = quantize_by_words(w, ratio, (words[0].reshape(shape), words[1].reshape(shape)), 8)
    filters = ctx.weight(f"{node.name}_filter_i8", q, DType.SI8)
    bias = None
    if b is not None:
        steps = quantize_by_words(b, np.float32(127) / np.float32(th_out), words, 32)
        bias = ctx.weight(f"{node.name}_bias_int32", steps, DType.SI32)
    return (ctx.as_int(source, node.name), filters, bias), words


def _listed(words: Words) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(words[0].tolist()), tuple(words[1].tolist())


def _window(node: Node, *more: str) -> dict[str, Attr]:
    keys = ("kernel_shape", "strides", "pads", "dilations", "group", *more)
    return {k: node.attrs[k] for k in keys if k in node.attrs}


def lower_conv(ctx: Lowering, node: Node) -> str | None:
    """Conv to Conv2D."""
    filters = node.inputs[1]
    assert filters is not None
    if not filters.is_weight:
        return "its filter is computed"
    operands, words = _quantized(ctx, node, node.weight(1), _bias(node))
    _emit_conv(ctx, node, operands, words, _window(node))
    return None


def _emit_conv(
    ctx: Lowering,
    node: Node,
    operands: tuple[Value, Value, Value | None],
    words: Words,
    window: dict[str, Attr],
) -> None:
    m, r = _listed(words)
    attrs: dict[str, Attr] = {**window, "multiplier": m, "rshift": r, "quant_mode": "QDM"}
    ctx.emit_int(node, "Conv2D", operands, {**attrs, "do_relu": node.flag("do_relu")})


def lower_scale(ctx: Lowering, node: Node) -> str | None:
    """Scale to a 1x1 depthwise Conv2D."""
    source = node.inputs[0]
    assert source is not None
    if len(source.shape) != 4:
        return f"its input has shape {source.shape}; expected N C H W"
    channels = source.shape[1]
    operands, words = _quantized(
        ctx, node, node.weight(1).reshape(channels, 1, 1, 1), node.weight(2).reshape(-1)
    )
    one: dict[str, Attr] = {"kernel_shape": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0)}
    _emit_conv(ctx, node, operands, words, {**one, "group": channels})
    return None


def lower_deconv(ctx: Lowering, node: Node) -> str | None:
    """Deconv to an int32 Deconv and a RequantIntAxis of two steps."""
    filters = node.inputs[1]
    assert filters is not None
    if not filters.is_weight:
        return "its filter is computed"
    operands, words = _quantized(ctx, node, node.weight(1), _bias(node))
    raw = Value("", node.output.shape, DType.SI32, QuantType(1.0))
    window = _window(node, "output_padding")
    acc = ctx.helper(f"{node.name}_i32", "Deconv", operands, raw, window)
    table = np.stack([*words, np.zeros_like(words[0])], axis=1)
    quant = ctx.weight(f"{node.name}_quant_int32", table, DType.SI32)
    end: dict[str, Attr] = {"do_relu": node.flag("do_relu"), "quant_mode": "QDM"}
    ctx.emit_int(node, "RequantIntAxis", [acc, quant], end)
    return None


def lower_matmul(ctx: Lowering, node: Node) -> str | None:
    """MatMul by a constant matrix."""
    right = node.inputs[1]
    assert right is not None
    if right.data is None:
        return "its right operand is computed"
    if right.data.ndim != 2:
        return f"its weight has shape {right.shape}"
    operands, words = _quantized(ctx, node, right.data, _bias(node), each=False)
    m, r = _listed(words)
    attrs: dict[str, Attr] = {
        "multipliers": m,
        "rshifts": r,
        "do_relu": node.flag("do_relu"),
        "left_transpose": node.attrs["left_transpose"],
        "right_transpose": node.attrs["right_transpose"],
        "quant_mode": "QDM",
    }
    ctx.emit_int(node, "MatMul", operands, attrs)
    return None


QDM_INT8 = {
    "Conv": lower_conv,
    "Deconv": lower_deconv,
    "MatMul": lower_matmul,
    "Scale": lower_scale,
}
