"""Linear and matrix products."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode

__all__ = ["addmm", "linear", "matmul"]


@converts("linear")
def linear(context: TorchContext, node: TorchNode) -> None:
    """x @ weight.T + bias; the weight is stored transposed."""
    x, weight = context.value(node), context.array(node, 1)
    if x.shape[-1] != weight.shape[-1]:
        raise UnsupportedError(
            f"{node}: its input has shape {x.shape}; expected {weight.shape[-1]} at the end. "
            "Hint: model.input_shapes"
        )
    right = context.weight(f"{node.name}_filter", np.ascontiguousarray(weight.T))
    context.emit(node, "MatMul", [x, right, context.optional(node, 2)])


@converts("matmul", "mm", "bmm")
def matmul(context: TorchContext, node: TorchNode) -> None:
    """Product of matrices, batches broadcast."""
    x, y = context.value(node), context.value(node, 1)
    if min(len(x.shape), len(y.shape)) < 2:
        raise UnsupportedError(f"{node}: {x.shape} x {y.shape}; expected matrices")
    context.emit(node, "MatMul", [x, y, None])


@converts("addmm", "baddbmm")
def addmm(context: TorchContext, node: TorchNode) -> None:
    """(bias, x, y, beta, alpha): x @ y + bias."""
    beta, alpha = float(node.arg(3, 1)), float(node.arg(4, 1))
    if (beta, alpha) != (1.0, 1.0):
        raise UnsupportedError(f"{node}: beta {beta}, alpha {alpha}; expected 1, 1")
    operands = [context.value(node, 1), context.value(node, 2), None]
    product = context.emit(node, "MatMul", operands, name=f"{node.name}_mm")
    context.emit(node, "Add", [product, context.value(node, 0)])
