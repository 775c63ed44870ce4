"""Instruction selection: how each op of Graph[tpu] becomes commands, one family a module.

A rule says why it can not have an op (`covers`, None when it can), and appends the commands
(`emit`).
"""

from __future__ import annotations

from tpuc.backends.bm1684x.rules import (
    along,
    attention,
    casts,
    convolution,
    elementwise,
    float_convolution,
    float_elementwise,
    float_pooling,
    functions,
    interpolating,
    matmul,
    movement,
    norms,
    pooling,
    rearranging,
    requantizing,
    selecting,
    softmax_bytes,
    transposed,
)
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import DType, Node

__all__ = ["FLOAT_RULES", "RULES", "Rule", "rule_of"]

RULES: dict[str, Rule] = {
    **attention.RULES,
    **casts.RULES,
    **convolution.RULES,
    **elementwise.RULES,
    **interpolating.RULES,
    **matmul.RULES,
    **movement.RULES,
    **pooling.RULES,
    **rearranging.RULES,
    **requantizing.RULES,
    **selecting.RULES,
    **softmax_bytes.RULES,
    **transposed.RULES,
}

FLOAT_RULES: dict[str, Rule] = {
    **along.RULES,
    **attention.FLOAT_RULES,
    **casts.FLOAT_RULES,
    **float_convolution.RULES,
    **float_elementwise.RULES,
    **float_pooling.RULES,
    **interpolating.FLOAT_RULES,
    **matmul.FLOAT_RULES,
    **functions.RULES,
    **movement.RULES,
    **norms.RULES,
    **rearranging.RULES,
    **selecting.RULES,
    **transposed.FLOAT_RULES,
}
_SHORT = (DType.F16, DType.BF16)


def rule_of(node: Node) -> Rule | None:
    """The rule of an op: that for floats if it has a short float, or nothing but floats."""
    kinds = [v.dtype for v in (*node.activations, *node.outputs)]
    floats = all(k.is_float for k in kinds) or any(k in _SHORT for k in kinds)
    if floats:
        return FLOAT_RULES.get(node.op)
    from_floats = node.activations and node.activations[0].dtype.is_float
    return RULES.get(node.op) or (FLOAT_RULES.get(node.op) if from_floats else None)
