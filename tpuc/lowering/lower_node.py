"""One Top op in the type asked for, or in the float type that stands in for it."""

from __future__ import annotations

from tpuc.ir import DType, Node, QuantType, Value, with_defaults
from tpuc.lowering.context import AsF32, Lowering
from tpuc.lowering.rules import (
    FLOAT8,
    KEEP_TYPE,
    keep_type,
    lower_cast,
    lower_float,
    lower_float8,
)

__all__ = ["ALWAYS_F32", "FLOAT_TYPES", "lower_node"]

FLOAT_TYPES = {"F32": DType.F32, "F16": DType.F16, "BF16": DType.BF16}
"""Float modes that every op has a form in."""

ALWAYS_F32 = frozenset(
    "Div Arg TopK CumSum InstanceNorm GroupNorm YoloDetection RoiAlign Nms".split()
)
"""Ops that are F32 in an INT8 build, not the processor's float type."""


def lower_node(ctx: Lowering, node: Node, mode: str, fallback: DType) -> None:
    """Lower a node in `mode`; where the mode has no form of it, in `fallback` or F32."""
    if node.op == "Input":
        whole = node.output.dtype == DType.SI32 and not ctx.every
        quant = QuantType(1.0) if whole else None
        dtype = node.output.dtype if whole else DType.F32
        out = Value(node.name, node.output.shape, dtype, quant)
        ctx.graph.add("Input", [], [out], with_defaults("Input", node.attrs, "tpu"))
        ctx.lowered[id(node.output)] = out
        return
    if node.op == "Cast":
        lower_cast(ctx, node)
        return
    first = node.inputs[0]
    if node.op in KEEP_TYPE and first is not None and not first.is_weight:
        _keep_type(ctx, node, mode)
        return
    if mode in FLOAT_TYPES:
        lower_float(ctx, node, FLOAT_TYPES[mode])
        return
    if mode in FLOAT8:
        reason = lower_float8(ctx, node, FLOAT8[mode])
    else:
        reason = _no_int8(ctx, node) or ctx.rules[node.op](ctx, node)
    if reason is not None:
        uncalibrated = "no calibration entry" in reason
        f32 = uncalibrated or node.op in ALWAYS_F32 or isinstance(reason, AsF32)
        f32 |= mode in FLOAT8 and node.op == "Softmax"
        kind = DType.F32 if f32 else fallback
        ctx.reasons[node.name] = reason
        lower_float(ctx, node, kind, mode in FLOAT8 and node.op in ("GELU", "SiLU"))


def _keep_type(ctx: Lowering, node: Node, mode: str) -> None:
    if keep_type(ctx, node):
        if mode == "INT8":
            ctx.reasons[node.name] = f"{node.op} has the type of its input"
    else:
        ctx.reasons.pop(node.name, None)


def _no_int8(ctx: Lowering, node: Node) -> str | None:
    if node.op not in ctx.rules:
        return f"{node.op} has no INT8 form on this processor"
    for value in (*node.activations, *node.outputs):
        if not ctx.has_range(value):
            return f"'{value.name}' has no calibration entry"
    return None
