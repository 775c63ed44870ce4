"""Conv and ConvTranspose."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["auto_pads", "conv", "conv_transpose"]


def auto_pads(
    node: OnnxNode, space: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...],
    dilations: tuple[int, ...],
) -> tuple[int, ...]:  # fmt: skip
    """Pads (begins, then ends) of a window op, resolving `auto_pad`."""
    mode = node.attrs.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return tuple(node.attrs.get("pads", (0,) * (2 * len(kernel))))
    if mode == "VALID":
        return (0,) * (2 * len(kernel))
    begins, ends = [], []
    for size, k, s, d in zip(space, kernel, strides, dilations):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        begins.append(small if mode == "SAME_UPPER" else large)
        ends.append(large if mode == "SAME_UPPER" else small)
    return (*begins, *ends)


def _bias(context: Context, node: OnnxNode) -> Value | None:
    return context.value(node, 2) if node.has(2) else None


@converts("Conv")
def conv(context: Context, node: OnnxNode) -> None:
    """ONNX Conv, any rank, groups, dilations and auto_pad."""
    x, w = context.value(node), context.value(node, 1)
    rank = len(x.shape) - 2
    kernel = tuple(node.attrs.get("kernel_shape", w.shape[2:]))
    strides = tuple(node.attrs.get("strides", (1,) * rank))
    dilations = tuple(node.attrs.get("dilations", (1,) * rank))
    group = int(node.attrs.get("group", 1))
    if x.shape[1] != w.shape[1] * group or w.shape[0] % group:
        raise UnsupportedError(
            f"{node}: input has {x.shape[1]} channels, filter {w.shape} with group {group} "
            f"expects {w.shape[1] * group}"
        )
    attrs: dict[str, Attr] = {
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
        "pads": auto_pads(node, x.shape[2:], kernel, strides, dilations),
        "group": group,
    }
    context.emit(node, "Conv", [x, w, _bias(context, node)], attrs)


@converts("ConvTranspose")
def conv_transpose(context: Context, node: OnnxNode) -> None:
    """ONNX ConvTranspose; filter (I, O/g, kh, kw) becomes (O, I/g, kh, kw) as in Top."""
    x, w = context.value(node), context.constant(node, 1)
    rank = len(x.shape) - 2
    group = int(node.attrs.get("group", 1))
    kernel = tuple(node.attrs.get("kernel_shape", w.shape[2:]))
    strides = tuple(node.attrs.get("strides", (1,) * rank))
    dilations = tuple(node.attrs.get("dilations", (1,) * rank))
    extra = tuple(node.attrs.get("output_padding", (0,) * rank))
    if "output_shape" in node.attrs or node.attrs.get("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedError(f"{node}: output_shape and auto_pad are not supported; use pads")
    per_group = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    turned = np.moveaxis(per_group, 2, 1).reshape(group * w.shape[1], -1, *w.shape[2:])
    attrs: dict[str, Attr] = {
        "kernel_shape": kernel,
        "strides": strides,
        "dilations": dilations,
        "pads": tuple(node.attrs.get("pads", (0,) * (2 * rank))),
        "output_padding": extra,
        "group": group,
    }
    weight = context.weight(node.inputs[1], turned)
    context.emit(node, "Deconv", [x, weight, _bias(context, node)], attrs)
