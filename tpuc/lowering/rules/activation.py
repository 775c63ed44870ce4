"""Activations in INT8.

table:     y = T[x as uint8], T[i] = saturate(round(f((i - zp) * s_in) / s_out + zp_out)), in double
Relu:      y = max(x, 0), saturated to the output's type
LeakyRelu: x >= 0: x; else x * m >> r (half up), m, r of alpha in 8 bit
PRelu:     x >= 0: x; else x * slope[c] >> r, slope = trunc(w * 2**r), r the first with
           max|w| * 2**(r + 1) >= 127; input and output scale must agree (they are propagated)
Abs:       |x|
With zero points, Relu is F32, LeakyRelu and PRelu are float.
Softmax over channels: y = round(e[max - x] / (sum * s_out)), e[d] = exp(-d * s_in * beta), float32
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Node, QuantType, Value
from tpuc.lowering.context import AsF32, Lowering
from tpuc.lowering.functions import activation_function
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["ACTIVATION_INT8", "lower_lut"]


def _source(ctx: Lowering, node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return ctx.as_int(value, node.name)


def build_table(
    node: Node, source: tuple[DType, QuantType], target: tuple[DType, QuantType]
) -> np.ndarray:
    """256 entries, indexed by the byte of the input."""
    (dtype, given), (out, wanted) = source, target
    q = np.arange(256)
    if dtype == DType.SI8:
        q = np.where(q > 127, q - 256, q)
    with np.errstate(all="ignore"):
        y = activation_function(node)((q - given.zero_point) * given.scale) / wanted.scale
        y = y + wanted.zero_point
    low, high = out.qrange
    # TPU-MLIR converts through a 32-bit integer, which turns what is not finite into its minimum
    y = np.where(np.isfinite(y), y, float(low))
    return np.clip(round_away(y), low, high)


def lower_lut(ctx: Lowering, node: Node) -> str | None:
    """Any function of one element as a table."""
    x = _source(ctx, node)
    assert x.quant is not None
    out, quant = ctx.qtype(node.output)
    entries = build_table(node, (x.dtype, x.quant), (out, quant))
    table = ctx.weight(f"{node.name}_table", entries, out)
    ctx.emit_int(node, "Lut", [x, table])
    return None


def lower_relu(ctx: Lowering, node: Node) -> str | None:
    """A Relu that no op could absorb."""
    if ctx.asymmetric:
        return AsF32("Relu has no form with zero points")
    ctx.emit_int(node, "Relu", [_source(ctx, node)])
    return None


def lower_leaky(ctx: Lowering, node: Node) -> str | None:
    """LeakyRelu."""
    if ctx.asymmetric:
        return "LeakyRelu has no form with zero points"
    m, r = multiplier_shift(node.number("alpha"), 8)
    ctx.emit_int(node, "LeakyRelu", [_source(ctx, node)], {"multiplier": m, "rshift": r})
    return None


def lower_prelu(ctx: Lowering, node: Node) -> str | None:
    """PRelu."""
    if ctx.asymmetric:
        return "PRelu has no form with zero points"
    slope = node.weight(1)
    largest = float(np.abs(slope).max())
    r = 0
    while largest * 2.0 ** (r + 1) < 127 and r < 31:
        r += 1
    q = np.trunc(slope.astype(np.float64) * 2.0**r)
    weight = ctx.weight(f"{node.name}_slope_i8", np.clip(q, -128, 127), DType.SI8)
    ctx.emit_int(node, "PRelu", [_source(ctx, node), weight], {"rshift": r})
    return None


def lower_abs(ctx: Lowering, node: Node) -> str | None:
    """Abs."""
    ctx.emit_int(node, "Active", [_source(ctx, node)], {"mode": "ABSVAL"})
    return None


def lower_softmax(ctx: Lowering, node: Node) -> str | None:
    """Softmax over channels; over any other axis it is float."""
    value = node.inputs[0]
    assert value is not None
    axis, rank = node.integer("axis"), len(value.shape)
    if axis != 1 or rank > 4 or node.attrs["log"]:
        return f"axis {axis} of {rank}, log={node.attrs['log']}; INT8 needs axis 1 and no log"
    x = _source(ctx, node)
    assert x.quant is not None
    beta = node.number("beta")
    steps = np.exp(-np.arange(256) * x.quant.scale * beta).astype(np.float32)
    table = ctx.weight(f"{node.name}_table", steps, DType.F32)
    attrs = {"axis": axis, "beta": beta}
    if rank == 4:
        ctx.emit_int(node, "Softmax", [x, table], attrs)
        return None
    shape = (*value.shape, *([1] * (4 - rank)))
    wide = Value("", shape, x.dtype, x.quant)
    wide = ctx.helper(f"{x.name}_reshape", "Reshape", [x], wide, {"shape": shape})
    dtype, quant = ctx.qtype(node.output)
    soft = Value("", shape, dtype, quant)
    soft = ctx.helper(f"{node.name}__softmax", "Softmax", [wide, table], soft, attrs)
    flat = Value("", value.shape, dtype, quant)
    name = f"{node.name}__softmax_reshape"  # TPU-MLIR renames the result
    flat = ctx.helper(name, "Reshape", [soft], flat, {"shape": value.shape})
    ctx.lowered[id(node.output)] = flat
    return None


_TABLE_OPS = (
    "SiLU GELU HardSwish HardSigmoid Sigmoid Tanh Elu Exp Sqrt Erf Mish Softplus Log "
    "Softsign Ceil Floor Round Sin Cos Pow Reciprocal Sign"
).split()

ACTIVATION_INT8 = {
    **dict.fromkeys(_TABLE_OPS, lower_lut),
    "Relu": lower_relu,
    "LeakyRelu": lower_leaky,
    "PRelu": lower_prelu,
    "Abs": lower_abs,
    "Softmax": lower_softmax,
}
