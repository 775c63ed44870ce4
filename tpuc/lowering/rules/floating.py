"""Float forms: F32, F16 and BF16.

Operands are rounded to the type, the op computes in float32 and its output is rounded once. A few
ops stay F32 in F16 and BF16 builds.
"""

from __future__ import annotations

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.lowering.rules.attention import lower_attention_float
from tpuc.lowering.rules.bf16_tables import lower_bf16_function
from tpuc.lowering.rules.scaling import as_depthwise
from tpuc.lowering.rules.selection import POSITIONS, lower_indexed, lower_mod

__all__ = ["lower_float"]

_ACTIVE = {
    "Sigmoid": "SIGMOID",
    "HardSigmoid": "HSIGMOID",
    "HardSwish": "HSWISH",
    "Tanh": "TANH",
    "Elu": "ELU",
    "GELU": "GELU",
    "SiLU": "SILU",
    "Softplus": "SOFT_PLUS",
    "Mish": "MISH",
    "Erf": "ERF",
    "Abs": "ABSVAL",
    "Exp": "EXP",
    "Sqrt": "SQRT",
    "Log": "LN",
    "Softsign": "SOFT_SIGN",
    "Ceil": "CEIL",
    "Floor": "FLOOR",
    "Round": "ROUND",
    "Sin": "SIN",
    "Cos": "COS",
    "Sign": "SIGN",
}
_COEFFS = {
    "Elu": ("alpha",),
    "HardSigmoid": ("beta", "alpha"),
    "Sigmoid": ("scale", "bias"),
}
_F32_ONLY = {
    "Div",
    "Reciprocal",
    "Arg",
    "TopK",
    "Tanh",
    "Elu",
    "Softplus",
    "Erf",
    "Sqrt",
    "SiLU",
    "GELU",
    "Mish",
    "Softsign",
    "Sin",
    "Cos",
    "Sigmoid",
    "Pow",
    "YoloDetection",
    "RoiAlign",
    "Nms",
}
_F32_IN_F16 = {"AvgPool", "HardSigmoid", "InstanceNorm", "CumSum"}
_F32_IN_BF16 = {"GroupNorm", "GridSampler"}


def float_type(node: Node, dtype: DType) -> DType:
    """The type an op really computes in when `dtype` is asked for."""
    if node.op in _F32_ONLY or (dtype == DType.F16 and node.op in _F32_IN_F16):
        return DType.F32
    if dtype == DType.BF16 and node.op in _F32_IN_BF16:
        return DType.F32
    return dtype


def _only_float(ctx: Lowering, dtype: DType) -> DType:
    """The type asked for, or the only one that there is."""
    return DType[ctx.processor.float_type] if dtype == DType.F32 else dtype


def lower_float(ctx: Lowering, node: Node, dtype: DType, whatever: bool = False) -> None:
    """Give a node its float form; `whatever`: in this type, where F16 builds would use F32."""
    first = node.inputs[0]
    assert first is not None
    kind = dtype if whatever else float_type(node, dtype)
    kind = kind if "F32" in ctx.processor.modes else _only_float(ctx, dtype)
    if ctx.processor.functions == "bf16_tables" and lower_bf16_function(ctx, node):
        return
    if node.op == "Scale" and len(first.shape) == 4:
        _scale_as_conv(ctx, node, kind)
        return
    if node.op == "Mod":
        lower_mod(ctx, node)
        return
    if node.op == "Attention":
        lower_attention_float(ctx, node, kind)
        return
    op, attrs = _form(node)
    if node.op in POSITIONS:
        lower_indexed(ctx, node, kind, attrs)
        return
    operands: list[Value | None] = []
    for index, value in enumerate(node.inputs):
        if value is None:
            operands.append(None)
        elif value.is_weight and _plain_weight(ctx, node, index):
            operands.append(ctx.float_weight(value, DType.F32))
        else:
            operands.append(ctx.as_float(value, kind, node.name))
    ctx.emit_float(node, op, operands, kind, attrs)


def _scale_as_conv(ctx: Lowering, node: Node, kind: DType) -> None:
    """Scale as a 1x1 depthwise Conv2D, whose bias stays float32."""
    source = node.inputs[0]
    assert source is not None
    filters, bias, attrs = as_depthwise(node)
    operands = [
        ctx.as_float(source, kind, node.name),
        ctx.float_weight(filters, kind),
        ctx.float_weight(bias, DType.F32),
    ]
    ctx.emit_float(node, "Conv2D", operands, kind, attrs)


def _plain_weight(ctx: Lowering, node: Node, index: int) -> bool:
    """Biases that the processor keeps in F32, and index tensors."""
    bias = index == 2 and node.op in ctx.processor.f32_bias
    return bias or node.op in ("Gather", "Interp")


def _form(node: Node) -> tuple[str, dict[str, Attr]]:
    attrs = dict(node.attrs)
    if node.op in ("AvgPool", "MaxPool"):
        keys = ("kernel_shape", "strides", "pads", "count_include_pad", "keepdims", "do_relu")
        kept = {k: attrs[k] for k in (*keys, "relu_limit")}
        return "Pool2D", {**kept, "pool_mode": "Avg" if node.op == "AvgPool" else "Max"}
    if node.op in _ACTIVE:
        mode = _ACTIVE[node.op]
        if node.op == "GELU" and attrs["approx_mode"] != "normal":
            mode = "TGELU" if attrs["approx_mode"] == "tanh" else "QGELU"
        if node.op == "Sigmoid" and attrs["log"]:
            mode = "LOG_SIGMOID"
        coeffs = tuple(float(attrs[k]) for k in _COEFFS.get(node.op, ()))  # type: ignore[arg-type]
        return "Active", {"mode": mode, "coeffs": coeffs}
    from tpuc.ir import TPU_OPS

    op = {"Conv": "Conv2D"}.get(node.op, node.op)
    return op, {k: v for k, v in attrs.items() if k in TPU_OPS[op].attrs}
