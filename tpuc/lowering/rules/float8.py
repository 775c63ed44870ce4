"""8-bit floats: F8E4M3 with one scale a tensor, F8E5M2 without any.

F8E4M3, s = threshold / 448:
    Conv          y = f8((x * w8 + b / (s_x * s_w)) / (1 / (s_x * s_w / s_y))), s_w for each
                  output channel, max|w| / 448; bias and sums float32
    MatMul        the same with one s_w; of two computed matrices s_w is the right one's scale
    Mul           y = f8(a * b / float32(1 / (s_a * s_b / s_y)));  AvgPool: s_x / s_y
    Add           y = f8(f16(f16(a * f16(s_a / s_y)) + f16(b * f16(s_b / s_y)))), constants
                  f16(b / s_y); Sub and sums with a number: the same without f16
    Relu, MaxPool, Abs, moves: the numbers as they are
    A fused limit (Relu6) is where the type saturates: the range ends there.
F8E5M2: operands and result rounded, sums and biases float32.

All other ops are floats of 16 bits, or 32. Source: TPU-MLIR's lowering for BM1690, measured with
its interpreter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.float8_products import FLOAT8_PRODUCTS, float8_weight
from tpuc.numerics.float8 import F8E4M3_MAX, divide
from tpuc.numerics.rounding import round_f16

__all__ = ["FLOAT8", "FLOAT8_OPS", "lower_float8"]

FLOAT8 = {"F8E4M3": DType.F8E4M3, "F8E5M2": DType.F8E5M2}
"""Mode to type."""

_POOL = ("kernel_shape", "strides", "pads", "count_include_pad", "keepdims", "do_relu")


def lower_float8(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    """Lower an op with 8-bit floats; why it has no such form, or None.

    Raises
    ------
    UnsupportedError : an operand has no calibrated range
    """
    rule = _RULES.get(node.op)
    if rule is None:
        return f"{node.op} has no form of 8-bit floats"
    if dtype == DType.F8E4M3:
        for value in (*node.activations, *node.outputs):
            if not ctx.has_range(value):
                return f"'{value.name}' has no calibration entry"
    first = node.inputs[0]
    if first is None or first.is_weight:
        return "its first operand is constant"
    return rule(ctx, node, dtype)


# ---- element by element ----------------------------------------------------------------------


def _sum(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    """Add and Sub."""
    factors: tuple[float, ...] = node.attrs.get("coeff") or (1.0, 1.0)  # type: ignore[assignment]
    if len(node.inputs) != 2 or any(v is None for v in node.inputs):
        return f"{node.op} of {len(node.inputs)}"
    if dtype == DType.F8E5M2 and set(factors) != {1.0}:
        return "operands with factors"
    operands: list[Value | None] = []
    scales = []
    for index, (value, factor) in enumerate(zip(node.inputs, factors)):
        assert value is not None
        if value.is_weight:
            operands.append(_addend(ctx, node, value, dtype))
            scales.append(1.0)
        else:
            operands.append(_operand(ctx, node, index, dtype))
            scales.append(_ratio(ctx, node, value, dtype, float(factor)))
    _emit(ctx, node, node.op, operands, dtype, {"f8_scales": tuple(scales)})
    return None


def _addend(ctx: Lowering, node: Node, value: Value, dtype: DType) -> Value:
    assert value.data is not None
    if dtype == DType.F8E5M2:
        return float8_weight(ctx, value, dtype, None)[0]
    scaled = divide(value.data * np.float32(F8E4M3_MAX), _threshold(ctx, node.output))
    return ctx.weight(f"{value.name}_f16", round_f16(scaled), DType.F16)


def _sum_const(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    """AddConst and SubConst."""
    source, number = node.inputs[0], node.number("const_val")
    assert source is not None
    attrs: dict[str, Attr] = {"const_val": number}
    if dtype == DType.F8E4M3:
        attrs["const_val"] = number * F8E4M3_MAX / _threshold(ctx, node.output)
        attrs["f8_scales"] = (_ratio(ctx, node, source, dtype), 1.0)
    if "is_reverse" in node.attrs:
        attrs["is_reverse"] = node.attrs["is_reverse"]
    _emit(ctx, node, node.op, [_operand(ctx, node, 0, dtype)], dtype, attrs)
    return None


def _mul(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    if len(node.inputs) != 2 or any(v is None or v.is_weight for v in node.inputs):
        return "a constant operand, or not two"
    operands = [_operand(ctx, node, i, dtype) for i in range(2)]
    attrs: dict[str, Attr] = {}
    quant = ctx.float8_quant(node.output, dtype, node.name)
    if quant is not None:
        inner = [v.quant.scale for v in operands if v.quant is not None]
        attrs["out_f8_scales"] = (inner[0] * inner[1] / quant.scale,)
    _emit(ctx, node, "Mul", operands, dtype, attrs)
    return None


def _mul_const(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    source, number = node.inputs[0], node.number("const_val")
    assert source is not None
    if dtype == DType.F8E4M3:
        number *= _ratio(ctx, node, source, dtype)
    _emit(ctx, node, "MulConst", [_operand(ctx, node, 0, dtype)], dtype, {"const_val": number})
    return None


def _average(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    source = node.inputs[0]
    assert source is not None
    attrs = {k: node.attrs[k] for k in _POOL} | {"pool_mode": "Avg"}
    if dtype == DType.F8E4M3:
        attrs["out_f8_scales"] = (_ratio(ctx, node, source, dtype),)
    _emit(ctx, node, "Pool2D", [_operand(ctx, node, 0, dtype)], dtype, attrs)
    return None


def _same(ctx: Lowering, node: Node, dtype: DType) -> str | None:
    """Ops that select numbers or change their sign: the result has the operand's scale."""
    x = _operand(ctx, node, 0, dtype)
    op, attrs = node.op, dict(node.attrs)
    if op == "MaxPool":
        op, attrs = "Pool2D", {k: attrs[k] for k in (*_POOL, "relu_limit")} | {"pool_mode": "Max"}
    elif op == "Abs":
        op, attrs = "Active", {"mode": "ABSVAL", "coeffs": ()}
    limit = float(attrs.get("relu_limit", -1.0))  # type: ignore[arg-type]
    if limit > 0 and x.quant is not None:
        attrs["relu_limit"] = limit / x.quant.scale
    ctx.emit_float(node, op, [x], dtype, attrs, x.quant)
    return None


# ---- what all share --------------------------------------------------------------------------


def _operand(ctx: Lowering, node: Node, index: int, dtype: DType) -> Value:
    value = node.inputs[index]
    assert value is not None
    return ctx.as_float8(value, dtype, node.name)


def _threshold(ctx: Lowering, value: Value) -> float:
    return ctx.ranges[value.name][1]


def _ratio(ctx: Lowering, node: Node, source: Value, dtype: DType, factor: float = 1.0) -> float:
    """Scale of an operand in that of the result."""
    if dtype == DType.F8E5M2:
        return factor
    return factor * _threshold(ctx, source) / _threshold(ctx, node.output)


def _emit(
    ctx: Lowering,
    node: Node,
    op: str,
    operands: list[Value | None] | list[Value],
    dtype: DType,
    attrs: dict[str, Attr],
) -> None:
    """An op with a scale of its own; a fused limit is where its range ends, or real in F8E5M2."""
    quant = ctx.float8_quant(node.output, dtype, node.name)
    if quant is None:
        attrs = {k: v for k, v in attrs.items() if "f8" not in k}
    limit = node.attrs.get("relu_limit", -1.0) if quant is None else -1.0
    attrs |= {"do_relu": node.flag("do_relu"), "relu_limit": limit}
    ctx.emit_float(node, op, operands, dtype, attrs, quant)


_RULES: dict[str, Callable[[Lowering, Node, DType], str | None]] = {
    **FLOAT8_PRODUCTS,
    "Add": _sum,
    "Sub": _sum,
    "AddConst": _sum_const,
    "SubConst": _sum_const,
    "Mul": _mul,
    "MulConst": _mul_const,
    "AvgPool": _average,
    **dict.fromkeys(["Relu", "MaxPool", "Abs", "Slice", "Permute", "Depth2Space"], _same),
}

FLOAT8_OPS = frozenset(_RULES)
"""Top ops that have such a form."""
