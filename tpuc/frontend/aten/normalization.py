"""Batch normalization."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode

__all__ = ["batch_norm"]


@converts("batch_norm", "_batch_norm_impl_index")
def batch_norm(context: TorchContext, node: TorchNode) -> None:
    """(input, weight, bias, mean, var, training, momentum, eps, cudnn)."""
    if node.arg(5):
        raise UnsupportedError(
            f"{node}: is in training mode. Hint: call model.eval() before torch.jit.trace"
        )
    if node.args[3] is None or node.args[4] is None:
        raise UnsupportedError(f"{node}: has no running mean and variance")
    size = context.array(node, 3).size
    fill = {1: np.ones(size, np.float32), 2: np.zeros(size, np.float32)}
    operands = [context.value(node)]
    for index in (3, 4, 1, 2):
        if node.args[index] is None:
            operands.append(context.weight(f"{node.name}_{index}", fill[index]))
        else:
            operands.append(context.value(node, index))
    context.emit(node, "BatchNorm", operands, {"epsilon": float(node.arg(7))})
