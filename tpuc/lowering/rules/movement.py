"""Ops that only move data, in INT8: the integers pass unchanged, with their input's type.

Reshape, Squeeze, Unsqueeze and Tile have the type of their input in any build, whatever type is
asked for; the others are cast to the type asked for.

Concat requantizes an operand whose scale or sign differs from the output's: x * m >> r (half up;
with zero points half away from zero), m, r of s_i / s_out in 8 bit.
"""

from __future__ import annotations

from collections.abc import Callable

from tpuc.ir import Attr, DType, Graph, Node, QuantType, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.rounding import round_away

__all__ = ["KEEP_TYPE", "MOVEMENT_INT8", "join", "keep_type", "name_shared_casts"]

KEEP_TYPE = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Tile"})
_MOVES = "Permute Slice Pad Upsample Depth2Space SwapDimInner".split()


def _moved_attrs(node: Node) -> dict[str, Attr]:
    """Attributes of a data-moving op, as they are; a fused relu (of Upsample) stays."""
    return dict(node.attrs)


def keep_type(ctx: Lowering, node: Node) -> bool:
    """Lower an op of `KEEP_TYPE`; true if its type is a float one."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.real(source)
    attrs = _moved_attrs(node)
    if x.dtype.is_float:
        ctx.emit_float(node, node.op, [x], x.dtype, attrs, x.quant)
    else:
        ctx.emit_int(node, node.op, [x], attrs, like=x)
    return x.dtype.is_float


def lower_move(ctx: Lowering, node: Node) -> str | None:
    """Permute, Slice and the like."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    attrs = _moved_attrs(node)
    if node.op == "Pad":
        assert x.quant is not None
        whole = round_away(float(attrs["val"]) / x.quant.scale)  # type: ignore[arg-type]
        attrs["val"] = float(whole) + x.quant.zero_point
    ctx.emit_int(node, node.op, [x], attrs, like=x)
    return None


def join(
    ctx: Lowering,
    node: Node,
    words: Callable[[tuple[DType, QuantType], tuple[DType, QuantType]], dict[str, Attr] | None],
) -> str | None:
    """Concat; operands are requantized where `words` of their type and the output's has numbers."""
    if any(v is None or v.is_weight for v in node.inputs):
        return "one operand is a constant tensor"
    wanted = ctx.qtype(node.output)
    operands = []
    for value in node.inputs:
        assert value is not None
        attrs = words(ctx.int_type(value, node.name), wanted)
        if attrs is None:
            operands.append(ctx.as_int(value, node.name))
            continue
        name = f"{ctx.current(value).name}_to_{node.name}"
        fixed = Value("", value.shape, *wanted)
        op = "RequantInt" if ctx.asymmetric else "MulShift"
        operands.append(ctx.helper(name, op, [ctx.as_int(value, name)], fixed, attrs))
    joined: dict[str, Attr] = {"axis": node.attrs["axis"], "do_relu": node.flag("do_relu")}
    ctx.emit_int(node, "Concat", operands, joined)
    return None


def lower_concat(ctx: Lowering, node: Node) -> str | None:
    """Concat."""
    return join(ctx, node, _words)


def _words(own: tuple[DType, QuantType], wanted: tuple[DType, QuantType]) -> dict[str, Attr] | None:
    if own == wanted:
        return None
    m, r = multiplier_shift(own[1].scale / wanted[1].scale, 8, True)
    return {"multiplier": m, "rshift": r}


def name_shared_casts(graph: Graph) -> None:
    """Name a cast after the requantization that uses it first, if one does.

    TPU-MLIR puts an operand's requantization for a Concat right behind the operand, before every
    other user, and names a cast after its first user.
    """
    for node in graph.nodes:
        if node.op != "Cast" or node.output.dtype.is_float:
            continue
        source = node.activations[0]
        users = [user for user, _ in node.output.uses if user.op in ("MulShift", "RequantInt")]
        joins = [user for user in users if user.name.startswith(f"{source.name}_to_")]
        if joins:
            node.output.name = f"{source.name}{joins[0].name}_{node.output.dtype}"


MOVEMENT_INT8 = {
    **dict.fromkeys(_MOVES, lower_move),
    "Concat": lower_concat,
}
