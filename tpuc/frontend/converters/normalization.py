"""BatchNormalization."""

from __future__ import annotations

import numpy as np

from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts

__all__ = ["batch_norm"]


@converts("BatchNormalization")
def batch_norm(context: Context, node: OnnxNode) -> None:
    """Inference form; Top's operand order is input, mean, variance, gamma, beta."""
    x, gamma, beta, mean, variance = (context.value(node, i) for i in range(5))
    epsilon = float(np.float32(node.attrs.get("epsilon", 1e-5)))
    context.emit(node, "BatchNorm", [x, mean, variance, gamma, beta], {"epsilon": epsilon})
