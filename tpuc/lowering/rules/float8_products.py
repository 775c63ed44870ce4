"""Conv, Scale and MatMul of 8-bit floats; the arithmetic stands in `rules.float8`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.scaling import as_depthwise
from tpuc.numerics.float8 import F8E4M3_MAX, divide, round_f8e4m3, round_f8e5m2

__all__ = ["FLOAT8_PRODUCTS", "float8_weight"]

_CONV = ("kernel_shape", "strides", "pads", "dilations", "group", "do_relu", "relu_limit")
_SMALLEST = 1e-8  # largest weight of a channel, at least


def _conv(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    filters = node.inputs[1]
    if filters is None or not filters.is_weight:
        return "its filter is computed"
    attrs = {k: node.attrs[k] for k in _CONV if k in node.attrs}
    _emit(ctx, node, dtype, _Product("Conv2D", filters, 0, _bias(node), attrs))
    return None


def _bias(node: Node) -> Value | None:
    return node.inputs[2] if len(node.inputs) > 2 else None


def _scale(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    """As a 1x1 depthwise convolution."""
    source = node.inputs[0]
    assert source is not None
    if len(source.shape) != 4:
        return f"a Scale of rank {len(source.shape)}"
    filters, bias, attrs = as_depthwise(node)
    _emit(ctx, node, dtype, _Product("Conv2D", filters, 0, bias, attrs))
    return None


def _matmul(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    right = node.inputs[1]
    assert right is not None
    if right.is_weight and len(right.shape) != 2:
        return f"a constant matrix of shape {right.shape}"
    keys = ("left_transpose", "right_transpose", "do_relu", "relu_limit")
    attrs = {k: node.attrs[k] for k in keys}
    _emit(ctx, node, dtype, _Product("MatMul", right, None, _bias(node), attrs))
    return None


@dataclass
class _Product:
    """Of an activation and a weight, whose scales go along an axis."""

    op: str
    weight: Value
    axis: int | None
    bias: Value | None
    attrs: dict[str, Attr]


def _emit(ctx: Lowering, node: Node, dtype: DType, made: _Product) -> None:
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_float8(source, dtype, node.name)
    right, scales = _right(ctx, node, dtype, made)
    bias = made.bias
    quant = ctx.float8_quant(node.output, dtype, node.name)
    if quant is None or x.quant is None:
        plain = None if bias is None else ctx.float_weight(bias, DType.F32)
        ctx.emit_float(node, made.op, [x, right, plain], dtype, made.attrs)
        return
    inner = x.quant.scale * scales
    if bias is not None:
        assert bias.data is not None
        turned = bias.data.astype(np.float64) / inner
        bias = ctx.weight(f"{bias.name}_f8", turned, DType.F32)
    factors = tuple(map(float, np.atleast_1d(inner / quant.scale)))
    attrs = {**made.attrs, "relu_limit": -1.0, "out_f8_scales": factors}
    ctx.emit_float(node, made.op, [x, right, bias], dtype, attrs, quant)


def _right(ctx: Lowering, node: Node, dtype: DType, made: _Product) -> tuple[Value, np.ndarray]:
    """The right side, and its scales."""
    if made.weight.is_weight:
        return float8_weight(ctx, made.weight, dtype, made.axis)
    right = ctx.as_float8(made.weight, dtype, node.name)
    return right, np.array(1.0 if right.quant is None else right.quant.scale)


def float8_weight(
    ctx: Lowering, value: Value, dtype: DType, axis: int | None
) -> tuple[Value, np.ndarray]:
    """A weight in 8 bits, and its scales."""
    weight = value.data
    assert weight is not None

    def make() -> tuple[np.ndarray, np.ndarray]:
        if dtype == DType.F8E5M2:
            return round_f8e5m2(weight), np.array(1.0)
        flat = np.abs(weight.reshape(weight.shape[0], -1) if axis == 0 else weight.reshape(1, -1))
        largest = np.maximum(flat.max(axis=1), np.float32(_SMALLEST))
        scales = (largest / np.float32(F8E4M3_MAX)).astype(np.float64)
        scales = scales if axis == 0 else scales[0]
        shape = (-1, *(1,) * (weight.ndim - 1)) if axis == 0 else ()
        return round_f8e4m3(divide(weight, np.reshape(scales, shape))), np.asarray(scales)

    data, scales = ctx.memo.of(weight, (dtype, axis), make)
    return Value(f"{value.name}_{dtype}", value.shape, dtype, data=data), scales


FLOAT8_PRODUCTS = {"Conv": _conv, "Scale": _scale, "MatMul": _matmul}
