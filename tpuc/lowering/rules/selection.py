"""Comparisons, selections and ops that index: float, and which of their operands stay as they are.

Positions are never rounded, quantized or cast between float types. In INT8:

CompareConst: q - z_in compared with round(c / s_in); the result is 0 or 1 in uint8, scale 1
ScatterND:    of constant updates, round(u / s_in) + z_in written into the integers
Mod:          x - floor(x / y) * y in F32, op by op
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, DType, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.rounding import round_away

__all__ = ["POSITIONS", "SELECTION_INT8", "lower_cast", "lower_indexed", "lower_mod"]

POSITIONS = {
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "ScatterND": (1,),
    "ScatterElements": (1,),
    "CumSum": (1,),
}
"""Operands that hold positions or axes."""


def lower_indexed(ctx: Lowering, node: Node, kind: DType, attrs: dict[str, Attr]) -> None:
    """Emit an op of `POSITIONS` in a float type."""
    operands: list[Value | None] = []
    for index, value in enumerate(node.inputs):
        if value is None:
            operands.append(None)
        elif index in POSITIONS[node.op]:
            operands.append(_positions(ctx, value, node.name))
        elif value.is_weight:
            operands.append(ctx.float_weight(value, kind))
        else:
            operands.append(ctx.as_float(value, kind, node.name))
    ctx.emit_float(node, node.op, operands, kind, attrs)


def _positions(ctx: Lowering, value: Value, user: str) -> Value:
    if value.is_weight:
        return ctx.float_weight(value, DType.F32)
    now = ctx.current(value)
    whole = now.dtype == DType.SI32
    return now if whole or now.dtype == DType.F32 else ctx.as_float(value, DType.F32, user)


def lower_cast(ctx: Lowering, node: Node) -> None:
    """Cast to float is nothing here; to an integer it cuts what is behind the point, in F32."""
    source = node.inputs[0]
    assert source is not None
    if node.text("to") != "INT32":
        if ctx.every:
            x = ctx.real(source)
            ctx.emit_float(node, "Reshape", [x], x.dtype, {"shape": node.output.shape})
        else:
            ctx.stand_in(node.output, source)
        return
    x = ctx.as_float(source, DType.F32, node.name)
    ctx.emit_float(node, "Active", [x], DType.F32, {"mode": "TRUNC"})


def lower_mod(ctx: Lowering, node: Node) -> None:
    """Mod, in F32 whatever type is asked for."""
    x, y = (ctx.as_float(v, DType.F32, node.name) for v in node.inputs if v is not None)
    chain: tuple[tuple[str, str, list[Value]], ...]
    chain = (("div", "Div", [x, y]), ("floor", "Active", []), ("mul", "Mul", [y]))
    made: list[Value] = []
    for word, op, given in chain:
        attrs: dict[str, Attr] = {"mode": "FLOOR"} if op == "Active" else {}
        out = Value("", node.output.shape, DType.F32)
        made = [ctx.helper(f"{node.name}_{word}", op, [*given, *made], out, attrs)]
    ctx.emit_float(node, "Sub", [x, *made], DType.F32)


def lower_compare_const(ctx: Lowering, node: Node) -> str | None:
    """Comparison of integers."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    number = float(round_away(node.number("const_val") / x.quant.scale))
    truth = Value("", x.shape, DType.UI8, QuantType(1.0))
    ctx.emit_int(node, "CompareConst", [x], {**node.attrs, "const_val": number}, like=truth)
    return None


def lower_scatter(ctx: Lowering, node: Node) -> str | None:
    """ScatterND of constants."""
    source, indices, updates = node.inputs
    assert source is not None and indices is not None and updates is not None
    if updates.data is None or indices.data is None or node.integer("reduction"):
        return "its positions or updates are computed"
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    low, high = x.dtype.qrange
    steps = round_away(updates.data.astype(np.float64) / x.quant.scale) + x.quant.zero_point
    q = np.clip(steps, low, high)
    places = ctx.weight(f"{node.name}_indices_int32", indices.data, DType.SI32)
    written = ctx.weight(f"{node.name}_updates_int8", q, x.dtype, x.quant)
    ctx.emit_int(node, "ScatterND", [x, places, written], node.attrs, like=x)
    return None


SELECTION_INT8 = {"CompareConst": lower_compare_const, "ScatterND": lower_scatter}
