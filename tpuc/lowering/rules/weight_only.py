"""W8F16, W8BF16, W4F16, W4BF16: products of F16 or BF16 with weights of 8 or 4 bits.

A MatMul with a constant right side becomes A16MatMul, whose weights lie as (outputs, terms); its
fused relu is an op of its own. Weights in groups are so for as many outputs as fill all lanes of
the processor; those behind them, if there are more than lanes, have float weights, and a Concat
joins both. Other ops have the float type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.ir import Attr, DType, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.weight_only import quantize_groups

__all__ = ["WEIGHT_ONLY", "Groups", "lower_weight_only"]

WEIGHT_ONLY = {
    "W8F16": (8, DType.F16),
    "W8BF16": (8, DType.BF16),
    "W4F16": (4, DType.F16),
    "W4BF16": (4, DType.BF16),
}
"""Bits of weights and type of everything else, by mode."""


@dataclass(frozen=True)
class Groups:
    """What weights share a scale.

    Parameters
    ----------
    size : int
        Consecutive terms of an output; 0: all of them.
    symmetric : bool
        The zero point is the middle, not where the range of the group puts it.
    """

    size: int = 64
    symmetric: bool = False


def lower_weight_only(ctx: Lowering, node: Node, mode: str, groups: Groups) -> str | None:
    """Give a node its weight-only form, or tell why it has none; then nothing is added."""
    bits, dtype = WEIGHT_ONLY[mode]
    if node.op != "MatMul":
        return f"{node.op} has no weight-only form"
    left, right = node.inputs[:2]
    assert left is not None and right is not None
    if left.is_weight or right.data is None or len(right.shape) != 2:
        return "its right operand is no constant matrix"
    if node.flag("left_transpose"):
        return "its left operand is transposed"
    weight = right.data if node.flag("right_transpose") else right.data.T
    terms, size = weight.shape[1], groups.size
    if size and terms % size:
        return f"{terms} terms are no multiple of quantize.q_group_size={size}"
    lanes = ctx.processor.lanes
    rest = len(weight) % lanes if size and 0 < lanes < len(weight) else 0
    parts = _Parts(bits, dtype, groups, weight)
    if rest:
        _split(ctx, node, parts, len(weight) - rest)
        return None
    relu = node.flag("do_relu")
    product = _product(ctx, node, parts, (node.name, len(weight), relu))
    if relu:
        ctx.emit_float(node, "Relu", [product], dtype, {"relu_limit": node.attrs["relu_limit"]})
    return None


@dataclass(frozen=True)
class _Parts:
    """Bits of a weight (outputs, terms), the float type beside it, and its groups."""

    bits: int
    dtype: DType
    groups: Groups
    weight: np.ndarray


def _split(ctx: Lowering, node: Node, parts: _Parts, count: int) -> None:
    """So many outputs, which fill all lanes, from short weights, the others from floats."""
    dtype, right = parts.dtype, node.inputs[1]
    assert right is not None and right.data is not None
    relu = node.flag("do_relu")
    first = _product(ctx, node, parts, (f"{node.name}_0", count, relu))
    if relu:
        out = Value("", first.shape, dtype)
        limit = {"relu_limit": node.attrs["relu_limit"]}
        first = ctx.helper(f"{node.name}_0", "Relu", [first], out, limit)
    columns = ctx.memo.of(
        right.data,
        ("columns behind", count, node.flag("right_transpose")),
        lambda: np.ascontiguousarray(parts.weight[count:].T),
    )
    floats = Value(f"{right.name}_1", columns.shape, data=columns)
    kept = "MatMul" in ctx.processor.f32_bias
    operands: list[Value | None] = [
        ctx.as_float(_left(node), dtype, node.name),
        ctx.float_weight(floats, dtype),
        _bias(ctx, node, slice(count, None), DType.F32 if kept else dtype),
    ]
    shape = (*node.output.shape[:-1], node.output.shape[-1] - count)
    attrs = {k: node.attrs[k] for k in ("do_relu", "relu_limit")}
    second = ctx.helper(f"{node.name}_1", "MatMul", operands, Value("", shape, dtype), attrs)
    joined: dict[str, Attr] = {"axis": len(shape) - 1}
    ctx.emit_float(node, "Concat", [first, second], dtype, joined)


def _left(node: Node) -> Value:
    left = node.inputs[0]
    assert left is not None
    return left


def _bias(ctx: Lowering, node: Node, part: slice, dtype: DType) -> Value | None:
    """The share of some outputs."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None or (part.start is None and part.stop == node.output.shape[-1]):
        return None if bias is None else ctx.as_float(bias, dtype, node.name)
    assert bias.data is not None
    data = ctx.memo.of(
        bias.data,
        ("outputs", part.start, part.stop),
        lambda: np.ascontiguousarray(bias.data.reshape(-1)[part]),  # type: ignore[union-attr]
    )
    suffix = 1 if part.start else 0
    return ctx.float_weight(Value(f"{bias.name}_{suffix}", data.shape, data=data), dtype)


def _product(ctx: Lowering, node: Node, parts: _Parts, named: tuple[str, int, bool]) -> Value:
    """The first outputs of a product; its result stands for the node if that is all of it."""
    title, count, relu = named
    name = f"{title}_a16matmul" if relu else title
    operands: list[Value | None] = [ctx.as_float(_left(node), parts.dtype, name)]
    operands += _weights(ctx, node, parts, count)
    bias = _bias(ctx, node, slice(None, count), parts.dtype)
    if bias is not None:
        operands.append(bias)
    terms = parts.weight.shape[1]
    attrs: dict[str, Attr] = {
        "weight_bits": parts.bits, "q_group_size": parts.groups.size or terms
    }  # fmt: skip
    if title == node.name and not relu:
        return ctx.emit_float(node, "A16MatMul", operands, parts.dtype, attrs)
    product = Value("", (*node.output.shape[:-1], count), parts.dtype)
    return ctx.helper(name, "A16MatMul", operands, product, attrs)


def _weights(ctx: Lowering, node: Node, parts: _Parts, count: int) -> list[Value]:
    """Integers, scales and zero points of the first outputs."""
    bits, size, symmetric = parts.bits, parts.groups.size, parts.groups.symmetric
    right = node.inputs[1]
    assert right is not None and right.data is not None
    q, scales, zeros = ctx.memo.of(
        right.data,
        (bits, size, symmetric, node.flag("right_transpose"), count),
        lambda: quantize_groups(np.ascontiguousarray(parts.weight[:count]), bits, size, symmetric),
    )
    stored = DType.UI4 if bits == 4 else DType.UI8 if size else DType.SI8
    scale = Value(f"{node.name}_scale", scales.shape, DType.F32, data=scales)
    return [
        ctx.weight(f"{node.name}_{'int' if stored == DType.SI8 else 'uint'}", q, stored),
        ctx.float_weight(scale, parts.dtype),
        ctx.weight(f"{node.name}_zp", zeros, DType.UI8),
    ]
