"""W8F16, W8BF16, W4F16, W4BF16: products of F16 or BF16 with weights of 8 or 4 bits.

A MatMul with a constant right side becomes A16MatMul, whose weights lie as (outputs, terms); its
fused relu is an op of its own. Other ops have the float type.
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
    relu = node.flag("do_relu")
    name = f"{node.name}_a16matmul" if relu else node.name
    operands: list[Value | None] = [ctx.as_float(left, dtype, name)]
    operands += _weights(ctx, node, (bits, dtype), (right, weight, groups))
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is not None:
        operands.append(ctx.as_float(bias, dtype, name))
    attrs: dict[str, Attr] = {"weight_bits": bits, "q_group_size": size or terms}
    if not relu:
        ctx.emit_float(node, "A16MatMul", operands, dtype, attrs)
        return None
    product = Value("", node.output.shape, dtype)
    ctx.helper(name, "A16MatMul", operands, product, attrs)
    limit = {"relu_limit": node.attrs["relu_limit"]}
    ctx.emit_float(node, "Relu", [product], dtype, limit)
    return None


def _weights(
    ctx: Lowering,
    node: Node,
    types: tuple[int, DType],
    source: tuple[Value, np.ndarray, Groups],
) -> list[Value]:
    """Integers, scales and zero points."""
    (bits, dtype), (right, weight, groups) = types, source
    size, symmetric = groups.size, groups.symmetric
    assert right.data is not None
    q, scales, zeros = ctx.memo.of(
        right.data,
        (bits, size, symmetric, node.flag("right_transpose")),
        lambda: quantize_groups(np.ascontiguousarray(weight), bits, size, symmetric),
    )
    stored = DType.UI4 if bits == 4 else DType.UI8 if size else DType.SI8
    scale = Value(f"{node.name}_scale", scales.shape, DType.F32, data=scales)
    return [
        ctx.weight(f"{node.name}_{'int' if stored == DType.SI8 else 'uint'}", q, stored),
        ctx.float_weight(scale, dtype),
        ctx.weight(f"{node.name}_zp", zeros, DType.UI8),
    ]
