"""Normalization: of batches, layers, groups, instances."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]


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


@converts("layer_norm")
def layer_norm(context: TorchContext, node: TorchNode) -> None:
    """(input, normalized_shape, weight, bias, eps, cudnn): over the last axes."""
    shape = node.ints(1)
    attrs: dict[str, Attr] = {
        "axis": len(context.value(node).shape) - len(shape),
        "eps": float(node.arg(4)),
        "normalized_shape": shape,
    }
    operands = [context.value(node), _affine(context, node, 2, 1), _affine(context, node, 3, 0)]
    context.emit(node, "LayerNorm", operands, attrs)


@converts("group_norm")
def group_norm(context: TorchContext, node: TorchNode) -> None:
    """(input, groups, weight, bias, eps, cudnn)."""
    operands = [context.value(node), _affine(context, node, 2, 1), _affine(context, node, 3, 0)]
    attrs: dict[str, Attr] = {"num_groups": int(node.arg(1)), "eps": float(node.arg(4))}
    context.emit(node, "GroupNorm", operands, attrs)


@converts("instance_norm")
def instance_norm(context: TorchContext, node: TorchNode) -> None:
    """(input, weight, bias, mean, var, by sample, momentum, eps, cudnn)."""
    if not node.arg(5):
        raise UnsupportedError(
            f"{node}: uses running statistics; expected those of the sample. "
            "Hint: track_running_stats=False"
        )
    operands = [context.value(node), _affine(context, node, 1, 1), _affine(context, node, 2, 0)]
    context.emit(node, "InstanceNorm", operands, {"eps": float(node.arg(7))})


def _affine(context: TorchContext, node: TorchNode, index: int, idle: float) -> Value | None:
    """Weight or bias; None where it does nothing."""
    if node.args[index] is None or np.all(context.array(node, index) == idle):
        return None
    return context.value(node, index)
