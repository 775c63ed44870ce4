"""Pooling."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.converters.convolution import auto_pads
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr

__all__ = ["global_pool", "pool"]


@converts("MaxPool", "AveragePool")
def pool(context: Context, node: OnnxNode) -> None:
    """Windowed pooling; ceil_mode is resolved by a pass."""
    x = context.value(node)
    kernel = tuple(node.attrs["kernel_shape"])
    strides = tuple(node.attrs.get("strides", (1,) * len(kernel)))
    dilations = tuple(node.attrs.get("dilations", (1,) * len(kernel)))
    if any(d != 1 for d in dilations):
        raise UnsupportedError(f"{node}: dilations {dilations}; expected 1")
    if len(node.outputs) > 1 and node.outputs[1]:
        raise UnsupportedError(f"{node}: the Indices output is not supported")
    attrs: dict[str, Attr] = {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": auto_pads(node, x.shape[2:], kernel, strides, dilations),
        "ceil_mode": bool(node.attrs.get("ceil_mode", 0)),
        "count_include_pad": bool(node.attrs.get("count_include_pad", 0)),
    }
    op = "MaxPool" if node.op_type == "MaxPool" else "AvgPool"
    context.emit(node, op, [x], attrs)


@converts("GlobalAveragePool", "GlobalMaxPool")
def global_pool(context: Context, node: OnnxNode) -> None:
    """Pooling over all of the picture."""
    x = context.value(node)
    rank = len(x.shape) - 2
    attrs: dict[str, Attr] = {
        "kernel_shape": x.shape[2:],
        "strides": (1,) * rank,
        "pads": (0,) * (2 * rank),
        "count_include_pad": True,
    }
    op = "MaxPool" if node.op_type == "GlobalMaxPool" else "AvgPool"
    context.emit(node, op, [x], attrs)
