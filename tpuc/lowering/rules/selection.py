"""Comparisons, selections and ops that index: float, and which of their operands stay as they are.

In an INT8 build each becomes the type that TPU-MLIR gives it (`INT8_FLOAT_TYPE`); positions are
never rounded, quantized or cast between float types.
"""

from __future__ import annotations

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering

__all__ = ["POSITIONS", "lower_cast", "lower_indexed"]

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
