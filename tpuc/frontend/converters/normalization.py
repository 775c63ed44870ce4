"""Normalization over a batch, a layer, an instance or groups of channels."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]


def _epsilon(node: OnnxNode, default: float = 1e-5) -> float:
    return float(np.float32(node.attrs.get("epsilon", default)))


def _affine(context: Context, node: OnnxNode, index: int, neutral: float) -> Value | None:
    """A factor or addend; None if it is left out or changes nothing."""
    if not node.has(index):
        return None
    data = context.constant(node, index)
    return None if np.all(data == neutral) else context.value(node, index)


@converts("BatchNormalization")
def batch_norm(context: Context, node: OnnxNode) -> None:
    """Inference form; Top's operand order is input, mean, variance, gamma, beta."""
    x, gamma, beta, mean, variance = (context.value(node, i) for i in range(5))
    attrs = {"epsilon": _epsilon(node)}
    context.emit(node, "BatchNorm", [x, mean, variance, gamma, beta], attrs)


@converts("LayerNormalization")
def layer_norm(context: Context, node: OnnxNode) -> None:
    """LayerNorm over the axes from `axis` on."""
    x = context.value(node)
    if any(node.outputs[1:]):
        raise UnsupportedError(f"{node}: its mean or deviation is read; expected the first output")
    axis = int(node.attrs.get("axis", -1)) % len(x.shape)
    attrs: dict[str, Attr] = {
        "axis": axis,
        "eps": _epsilon(node),
        "normalized_shape": x.shape[axis:],
    }
    operands = [x, _affine(context, node, 1, 1.0), _affine(context, node, 2, 0.0)]
    context.emit(node, "LayerNorm", operands, attrs)


@converts("InstanceNormalization")
def instance_norm(context: Context, node: OnnxNode) -> None:
    """InstanceNorm: each channel of each sample by itself."""
    operands = [
        context.value(node),
        _affine(context, node, 1, 1.0),
        _affine(context, node, 2, 0.0),
    ]
    context.emit(node, "InstanceNorm", operands, {"eps": _epsilon(node)})


@converts("GroupNormalization")
def group_norm(context: Context, node: OnnxNode) -> None:
    """GroupNorm; before opset 21 the factors are one a group."""
    x, groups = context.value(node), int(node.attrs["num_groups"])
    channels = x.shape[1]
    operands: list[Value | None] = [x]
    for index, neutral in ((1, 1.0), (2, 0.0)):
        data = context.constant(node, index)
        if data.size == groups != channels:
            name, data = f"{node.inputs[index]}_fix", data.repeat(channels // groups)
        else:
            name = node.inputs[index]
        operands.append(None if np.all(data == neutral) else context.weight(name, data))
    context.emit(node, "GroupNorm", operands, {"eps": _epsilon(node), "num_groups": groups})


@converts("RMSNormalization")
def rms_norm(context: Context, node: OnnxNode) -> None:
    """RMSNorm over the last axis."""
    x = context.value(node)
    if int(node.attrs.get("axis", -1)) % len(x.shape) != len(x.shape) - 1:
        raise UnsupportedError(f"{node}: axis {node.attrs['axis']}; expected the last one")
    operands = [x, _affine(context, node, 1, 1.0)]
    context.emit(node, "RMSNorm", operands, {"eps": _epsilon(node)})
