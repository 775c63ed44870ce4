"""A16MatMul is a MatMul by the weights that its integers stand for."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node, Value, with_defaults
from tpuc.kernels.casts import round_to
from tpuc.numerics.weight_only import weights_of

__all__ = ["as_matmul"]


def as_matmul(node: Node) -> Node:
    """The MatMul of floats; its right side is transposed, float32."""
    right = weights_of(*(node.weight(i) for i in (1, 2, 3)))
    if node.integer("weight_bits") == 8:
        right = np.asarray(round_to(right, node.output.dtype))
    value = Value(f"{node.name}_weight", right.shape, node.output.dtype, data=right)
    attrs = with_defaults("MatMul", {"right_transpose": True}, "tpu")
    return Node("MatMul", (node.inputs[0], value, *node.inputs[4:]), node.outputs, attrs)
