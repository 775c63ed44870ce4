"""Ops that only move data, in INT8: the integers pass unchanged, with their input's type.

Concat requantizes an operand whose scale or sign differs from the output's: x * m >> r (half up),
m, r of s_i / s_out in 8 bit.
"""

from __future__ import annotations

from tpuc.ir import Attr, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["MOVEMENT_INT8", "MOVES", "moved_attrs"]

MOVES = "Reshape Permute Slice Squeeze Unsqueeze Tile Pad Upsample Depth2Space".split()
"""Ops whose output holds values of their input and nothing else (but for padding)."""


def moved_attrs(node: Node) -> dict[str, Attr]:
    """Attributes of a data-moving op, as they are."""
    return {k: v for k, v in node.attrs.items() if k not in ("do_relu", "relu_limit")}


def lower_move(ctx: Lowering, node: Node) -> str | None:
    """Reshape, Permute, Slice and the like."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    attrs = moved_attrs(node)
    if node.op == "Pad":
        assert x.quant is not None
        attrs["val"] = float(round_away(float(attrs["val"]) / x.quant.scale))  # type: ignore[arg-type]
    ctx.emit_int(node, node.op, [x], attrs, like=x)
    return None


def lower_concat(ctx: Lowering, node: Node) -> str | None:
    """Concat."""
    if any(v is None or v.is_weight for v in node.inputs):
        return "one operand is a constant tensor"
    dtype, quant = ctx.qtype(node.output)
    operands = []
    for value in node.inputs:
        assert value is not None
        x = ctx.as_int(value, node.name)
        assert x.quant is not None
        if x.dtype != dtype or x.quant.scale != quant.scale:
            m, r = multiplier_shift(x.quant.scale / quant.scale, 8, True)
            fixed = Value("", x.shape, dtype, quant)
            name = f"{x.name}_to_{node.name}"
            x = ctx.helper(name, "MulShift", [x], fixed, {"multiplier": m, "rshift": r})
        operands.append(x)
    attrs: dict[str, Attr] = {"axis": node.attrs["axis"], "do_relu": node.flag("do_relu")}
    ctx.emit_int(node, "Concat", operands, attrs)
    return None


MOVEMENT_INT8 = {
    **dict.fromkeys(MOVES, lower_move),
    "Concat": lower_concat,
}
