"""MatMul and Gemm."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Value

__all__ = ["gemm", "matmul"]


@converts("MatMul")
def matmul(context: Context, node: OnnxNode) -> None:
    """ONNX MatMul with a weight or two activations."""
    context.emit(node, "MatMul", [context.value(node), context.value(node, 1), None])


@converts("Gemm")
def gemm(context: Context, node: OnnxNode) -> None:
    """y = alpha * A' B' + beta * C with constant B and C; B is stored as (K, N)."""
    x = context.value(node)
    alpha, beta = float(node.attrs.get("alpha", 1.0)), float(node.attrs.get("beta", 1.0))
    if node.attrs.get("transA", 0):
        raise UnsupportedError(f"{node}: transA=1 is not supported; expected transA=0")
    right: Value
    if context.is_constant(node, 1):
        name, data = node.inputs[1], context.constant(node, 1)
        if node.attrs.get("transB", 0) or alpha != 1.0:
            data = (data.T if node.attrs.get("transB", 0) else data) * np.float32(alpha)
            name = f"{name}_fix"
        right = context.weight(name, data)
    elif alpha == 1.0 and not node.attrs.get("transB", 0):
        right = context.value(node, 1)
    else:
        raise UnsupportedError(f"{node}: alpha and transB need a constant right operand")
    bias = None
    if node.has(2):
        data = context.constant(node, 2)
        name = node.inputs[2]
        if beta != 1.0:
            name, data = f"{name}_fix", data * np.float32(beta)
        bias = context.weight(name, np.broadcast_to(data.reshape(-1), (right.shape[-1],)))
    context.emit(node, "MatMul", [x, right, bias])
