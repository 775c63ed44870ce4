"""Conv, Deconv and per-channel Scale in INT8.

    s_w[c]  = max(float32(max|w[c]| / 127), 1e-5)
    wq      = saturate(round(w / s_w))
    bias    = round(b / (s_w * s_in)), int32
    m, r    = multiplier and shift of s_w * s_in / s_out, 32 bit
    y       = saturate(((sum((x - zp_in) * wq) + bias) * m >> r) + zp_out), rounding half up

Two exceptions of TPU-MLIR: without bias and with min(w) >= 0 weights are unsigned (255 instead of
127); and if w * 2**i is integer and fits for some i in 0..6, s_w is 2**-i for all channels. The
limit of a fused relu needs no clamp: the output's unsigned range ends there. TPU-MLIR keeps
zp_in * sum(wq) in the bias, so that is rounded with it. (Of unsigned weights TPU-MLIR 1.30.2 loses
that share, which puts all results off by it; here it is kept.)
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.requant import multipliers_shifts
from tpuc.numerics.rounding import round_away

__all__ = ["CONVOLUTION_INT8"]

_MAX_SHORTCUT = 7
_FEW = 256


def _shortcut(w: np.ndarray, limit: int) -> float | None:
    """The power of two that makes every weight an integer, if there is one."""
    low = 0 if limit == 255 else -128
    few = w.reshape(-1)[:_FEW].astype(np.float64) * 2.0 ** (_MAX_SHORTCUT - 1)
    if np.any(few != np.floor(few)):
        return None  # no smaller power makes these integers either
    for i in range(_MAX_SHORTCUT):
        scaled = w.astype(np.float64) * 2.0**i
        if np.all(scaled == np.floor(scaled)) and scaled.min() >= low and scaled.max() <= limit:
            return 1.0 / 2.0**i
    return None


def quantize_filter(w: np.ndarray, unsigned: bool) -> tuple[np.ndarray, np.ndarray]:
    """Integer filter and per-channel scales of a float32 filter (O, ...)."""
    limit = 255 if unsigned else 127
    shortcut = _shortcut(w, limit)
    if shortcut is not None:
        scales = np.full(w.shape[0], shortcut)
    else:
        largest = np.abs(w.reshape(w.shape[0], -1)).max(axis=1)
        scales = np.maximum((largest / np.float32(limit)).astype(np.float64), 1e-5)
    shape = (-1, *([1] * (w.ndim - 1)))
    q = round_away(w.astype(np.float64) / scales.reshape(shape))
    return np.clip(q, 0 if unsigned else -128, limit if unsigned else 127), scales


def _prepare(
    ctx: Lowering, node: Node, w: np.ndarray, b: np.ndarray | None, signed: bool = False
) -> tuple[Value, Value, Value | None, np.ndarray]:
    """Input, filter, bias and per-channel rescale factor."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    (s_in, zero), s_out = (ctx.step(x), x.quant.zero_point), ctx.scale(node.output)
    has_bias = b is not None and np.any(b != 0)
    unsigned = not has_bias and not signed and float(w.min()) >= 0
    kind = DType.UI8 if unsigned else DType.SI8

    def quantize() -> tuple[np.ndarray, np.ndarray]:
        q, scales = quantize_filter(w, unsigned)
        return np.ascontiguousarray(q, kind.numpy), scales

    q, scales = ctx.memo.of(w, kind, quantize)
    suffix = "u8" if unsigned else "i8"
    filters = ctx.weight(f"{node.name}_filter_{suffix}", q, kind)
    bias = None
    if has_bias:
        assert b is not None
        shares = zero * q.reshape(len(q), -1).sum(1, dtype=np.int64)
        rounded = round_away(b.astype(np.float64) / (scales * s_in) - shares) + shares
        clipped = np.clip(rounded, -(2**31), 2**31 - 1)
        bias = ctx.weight(f"{node.name}_bias_int32", clipped, DType.SI32)
    return x, filters, bias, scales * s_in / s_out


def _relu(node: Node) -> dict[str, bool | float]:
    return {"do_relu": node.flag("do_relu")}


def _bias(node: Node) -> np.ndarray | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    return None if value is None else value.data


def lower_conv(ctx: Lowering, node: Node) -> str | None:
    """Conv to Conv2D."""
    if not node.inputs[1].is_weight:  # type: ignore[union-attr]
        return "its filter is computed"
    x, filters, bias, factor = _prepare(ctx, node, node.weight(1), _bias(node))
    m, r = multipliers_shifts(factor, 32)
    keys = ("kernel_shape", "strides", "pads", "dilations", "group")
    attrs = {k: node.attrs[k] for k in keys if k in node.attrs}
    attrs.update(_relu(node), multiplier=tuple(m.tolist()), rshift=tuple(r.tolist()))
    ctx.emit_int(node, "Conv2D", [x, filters, bias], attrs)
    return None


def lower_scale(ctx: Lowering, node: Node) -> str | None:
    """Scale to a 1x1 depthwise Conv2D."""
    source = node.inputs[0]
    assert source is not None
    if len(source.shape) != 4:
        return f"its input has shape {source.shape}; expected N C H W"
    channels = source.shape[1]
    w = node.weight(1).reshape(channels, 1, 1, 1)
    x, filters, bias, factor = _prepare(ctx, node, w, node.weight(2).reshape(-1), signed=True)
    m, r = multipliers_shifts(factor, 32)
    attrs = {
        "kernel_shape": (1, 1),
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "group": channels,
        "multiplier": tuple(m.tolist()),
        "rshift": tuple(r.tolist()),
        **_relu(node),
    }
    ctx.emit_int(node, "Conv2D", [x, filters, bias], attrs)
    return None


def lower_deconv(ctx: Lowering, node: Node) -> str | None:
    """Deconv to an int32 Deconv and a per-channel RequantIntAxis (rounding half away from zero)."""
    if not node.inputs[1].is_weight:  # type: ignore[union-attr]
        return "its filter is computed"
    x, filters, bias, factor = _prepare(ctx, node, node.weight(1), _bias(node))
    m, r = multipliers_shifts(factor, 32)
    keys = ("kernel_shape", "strides", "pads", "dilations", "group", "output_padding")
    attrs = {k: node.attrs[k] for k in keys if k in node.attrs}
    assert x.quant is not None
    raw = Value("", node.output.shape, DType.SI32, QuantType(1.0))
    acc = ctx.helper(f"{node.name}_i32", "Deconv", [x, filters, bias], raw, attrs)
    words = np.stack([m, r, np.zeros_like(m)], axis=1)
    quant = ctx.weight(f"{node.name}_quant_int32", words, DType.SI32)
    ctx.emit_int(node, "RequantIntAxis", [acc, quant], _relu(node))
    return None


CONVOLUTION_INT8 = {"Conv": lower_conv, "Scale": lower_scale, "Deconv": lower_deconv}
