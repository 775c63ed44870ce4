"""Functions of one float on processors that look them up in BF16 tables.

A function within its reach is a table of values and one of steps (`Slope`), a power a product of
two tables, a logarithm their sum (`numerics.bf16_tables`). HardSigmoid and HardSwish are a Conv by
channel, a Clip and a Mul. Source: TPU-MLIR's lowering for CV18xx.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.functions import activation_function
from tpuc.lowering.rules.resizing import lower_float_interp
from tpuc.numerics.bf16_tables import SOFTMAX_REACH, log_tables, power_tables, slope_tables
from tpuc.numerics.rounding import round_bf16

__all__ = ["lower_bf16_function"]

_REACH = {
    **{"Sigmoid": 12.0, "Elu": 12.0, "SiLU": 12.0, "GELU": 8.0, "Mish": 8.0, "Softplus": 8.0},
    **{"Tanh": 15.0, "Exp": 15.0, "MulConst": 15.0, "SubConst": 15.0},
}


def lower_bf16_function(ctx: Lowering, node: Node) -> bool:
    """Lower a function of one operand; False if it is none of those that have tables."""
    if node.op in _REACH:
        reach = _REACH[node.op]
        tables = slope_tables(activation_function(node), reach)
        attrs: dict[str, Attr] = {"min_range": -reach, "max_range": reach}
        _emit(
            ctx, node, tables, {"lut_mode": "Slope", **attrs}, ("slope_table", "slope_slope_table")
        )
    elif node.op in ("Pow", "Sqrt", "Reciprocal"):
        exponent = {"Sqrt": 0.5, "Reciprocal": -1.0}.get(node.op) or node.number("exponent")
        names = ("pow_table", "pow_mantissa_table")
        _emit(ctx, node, power_tables(exponent), {"lut_mode": "Mantissa"}, names)
    elif node.op == "Log":
        names = ("log_table", "log_mantissa_table")
        _emit(ctx, node, log_tables(), {"lut_mode": "Log"}, names)
    elif node.op in _OTHERS:
        return _OTHERS[node.op](ctx, node)
    else:
        return False
    return True


def _source(ctx: Lowering, node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return ctx.as_float(value, DType.BF16, node.name)


def _emit(
    ctx: Lowering,
    node: Node,
    tables: tuple[np.ndarray, np.ndarray],
    attrs: dict[str, Attr],
    names: tuple[str, str],
) -> None:
    weights = [
        ctx.weight(f"{node.name}_{name}_bf16", table, DType.BF16)
        for name, table in zip(names, tables)
    ]
    ctx.emit_float(node, "LutBF16", [_source(ctx, node), *weights], DType.BF16, attrs)


def _add_const(ctx: Lowering, node: Node) -> bool:
    """A sum with a constant tensor of one number, in BF16 as all weights."""
    number = np.array([node.number("const_val")], np.float32)
    weight = ctx.weight(f"{node.name}_const_val_bf16", round_bf16(number), DType.BF16)
    keys = ("do_relu", "relu_limit")
    attrs: dict[str, Attr] = {k: node.attrs[k] for k in keys if k in node.attrs}
    ctx.emit_float(node, "Add", [_source(ctx, node), weight], DType.BF16, attrs)
    return True


def _clip(ctx: Lowering, node: Node) -> bool:
    limits: dict[str, Attr] = {
        k: float(round_bf16(np.array(node.number(k), np.float32))) for k in ("min", "max")
    }
    ctx.emit_float(node, "Clip", [_source(ctx, node)], DType.BF16, limits)
    return True


def _hard(ctx: Lowering, node: Node) -> bool:
    """HardSigmoid is a Conv by channel that a Clip limits, HardSwish what that is multiplied by."""
    source = node.inputs[0]
    assert source is not None
    swish = node.op == "HardSwish"
    alpha, beta = (1.0 / 6.0, 0.5) if swish else (node.number("alpha"), node.number("beta"))
    name, channels = f"{node.name}_scale", source.shape[1]
    x = ctx.as_float(source, DType.BF16, name)
    factors = round_bf16(np.full(channels, alpha, np.float32))
    op = "Scale"
    attrs: dict[str, Attr] = {}
    if len(source.shape) == 4:
        op, factors = "Conv2D", factors.reshape(channels, 1, 1, 1)
        attrs = {"kernel_shape": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "group": channels}
    weights = [
        ctx.weight(f"{name}_{name}_filter_bf16", factors, DType.BF16),
        ctx.weight(f"{name}_{name}_bias", np.full(channels, beta), DType.F32),
    ]
    shape, limits = node.output.shape, {"min": 0.0, "max": 1.0}
    line = ctx.helper(name, op, [x, *weights], Value("", shape, DType.BF16), attrs)
    if not swish:
        ctx.emit_float(node, "Clip", [line], DType.BF16, limits)
        return True
    share = ctx.helper(f"{node.name}_clip", "Clip", [line], Value("", shape, DType.BF16), limits)
    ctx.emit_float(node, "Mul", [x, share], DType.BF16)
    return True


def _div(ctx: Lowering, node: Node) -> bool:
    """A product with the reciprocal."""
    first, second = node.inputs
    assert first is not None and second is not None
    if second.is_weight or first.is_weight or node.flag("is_reverse"):
        return False
    name = f"{second.name}_reciprocal"
    divisor = ctx.as_float(second, DType.BF16, name)
    tables = [
        ctx.weight(f"{name}_{part}_bf16", table, DType.BF16)
        for part, table in zip(("pow_table", "pow_mantissa_table"), power_tables(-1.0))
    ]
    share = Value("", second.shape, DType.BF16)
    share = ctx.helper(name, "LutBF16", [divisor, *tables], share, {"lut_mode": "Mantissa"})
    keys = ("do_relu", "relu_limit")
    attrs = {k: node.attrs[k] for k in keys if k in node.attrs}
    ctx.emit_float(node, "Mul", [ctx.as_float(first, DType.BF16, node.name), share], DType.BF16,
                   attrs)  # fmt: skip
    return True


def _softmax(ctx: Lowering, node: Node) -> bool:
    if node.flag("log") or node.number("beta") != 1.0:
        return False
    tables = (*slope_tables(np.exp, SOFTMAX_REACH), *power_tables(-1.0))
    names = ("slope_table", "slope_slope_table", "pow_table", "pow_mantissa_table")
    weights = [
        ctx.weight(f"{node.name}_{name}_bf16", table, DType.BF16)
        for name, table in zip(names, tables)
    ]
    axis = node.integer("axis") % len(node.output.shape)
    ctx.emit_float(node, "Softmax", [_source(ctx, node), *weights], DType.BF16, {"axis": axis})
    return True


def _layer_norm(ctx: Lowering, node: Node) -> bool:
    parts = [*node.inputs[1:], None, None][:2]
    weights = [None if v is None else ctx.as_float(v, DType.BF16, node.name) for v in parts]
    tables = [
        ctx.weight(f"{node.name}_{name}_bf16", table, DType.BF16)
        for name, table in zip(("table", "mantissa_table"), power_tables(-0.5))
    ]
    operands = [_source(ctx, node), *weights, *tables]
    ctx.emit_float(node, "LayerNorm", operands, DType.BF16, dict(node.attrs))
    return True


def _sub(ctx: Lowering, node: Node) -> bool:
    """A difference from what repeats: the other operand changes its sign by a table."""
    first, second = node.inputs
    assert first is not None and second is not None
    if first.is_weight or second.is_weight or first.size >= second.size:
        return False
    name = f"{node.name}_mulconst"
    tables = [
        ctx.weight(f"{name}_{part}_bf16", table, DType.BF16)
        for part, table in zip(
            ("slope_table", "slope_slope_table"), slope_tables(np.negative, 15.0)
        )
    ]
    attrs: dict[str, Attr] = {"lut_mode": "Slope", "min_range": -15.0, "max_range": 15.0}
    source = ctx.as_float(second, DType.BF16, name)
    turned = Value("", second.shape, DType.BF16)
    turned = ctx.helper(name, "LutBF16", [source, *tables], turned, attrs)
    ctx.emit_float(node, "Add", [ctx.as_float(first, DType.BF16, node.name), turned], DType.BF16)
    return True


_OTHERS: dict[str, Callable[[Lowering, Node], bool]] = {
    "AddConst": _add_const,
    "Clip": _clip,
    "Div": _div,
    "HardSigmoid": _hard,
    "HardSwish": _hard,
    "Interp": lower_float_interp,
    "LayerNorm": _layer_norm,
    "Softmax": _softmax,
    "Sub": _sub,
}
