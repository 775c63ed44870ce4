"""How much work an op is."""

from __future__ import annotations

import math

from tpuc.ir.node import Node

__all__ = ["macs_of"]


def macs_of(node: Node) -> int:
    """Multiply-accumulates of one op of Graph[top]; 0 for ops that multiply nothing up."""
    if node.op in ("Conv", "Deconv"):
        filters = node.inputs[1]
        assert filters is not None and node.inputs[0] is not None
        per = math.prod(filters.shape[1:])
        pixels = node.output if node.op == "Conv" else node.inputs[0]
        space = math.prod(pixels.shape[2:]) * pixels.shape[0]
        return per * filters.shape[0] * space
    if node.op == "MatMul":
        left = node.inputs[0]
        assert left is not None
        inner = left.shape[-2] if node.attrs["left_transpose"] else left.shape[-1]
        return node.output.size * inner
    return 0
