"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["conv", "conv_mode", "convolution"]


@dataclass(frozen=True)
class _Window:
    """Arguments that every spelling of a convolution has."""

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    group: int

    def attrs(self, filters: Sequence[int]) -> dict[str, Attr]:
        return {
            "kernel_shape": tuple(filters),
            "strides": self.strides,
            "dilations": self.dilations,
            "pads": self.pads,
            "group": self.group,
        }


@converts("_convolution", "convolution")
def convolution(context: TorchContext, node: TorchNode) -> None:
    """(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, ...)."""
    rank = _rank(context, node)
    pads = node.ints(4, rank)
    window = _Window(node.ints(3, rank), pads + pads, node.ints(5, rank), int(node.arg(8)))
    if node.arg(6):
        _deconv(context, node, window, node.ints(7, rank))
    else:
        _conv(context, node, window)


@converts("conv1d", "conv2d", "_convolution_mode")
def conv_mode(context: TorchContext, node: TorchNode) -> None:
    """(input, weight, bias, stride, padding, dilation, groups); padding may be same or valid."""
    rank = _rank(context, node)
    strides, dilations = node.ints(3, rank), node.ints(5, rank)
    if isinstance(node.arg(4), str):
        kernel = context.value(node, 1).shape[2:]
        pads = _named_pads(str(node.arg(4)), kernel, dilations)
    else:
        pads = node.ints(4, rank) * 2
    _conv(context, node, _Window(strides, pads, dilations, int(node.arg(6))))


@converts("conv_transpose1d", "conv_transpose2d")
def conv(context: TorchContext, node: TorchNode) -> None:
    """(input, weight, bias, stride, padding, output_padding, groups, dilation)."""
    rank = _rank(context, node)
    window = _Window(node.ints(3, rank), node.ints(4, rank) * 2, node.ints(7, rank), node.arg(6))
    _deconv(context, node, window, node.ints(5, rank))


def _rank(context: TorchContext, node: TorchNode) -> int:
    x, filters = context.value(node), context.value(node, 1)
    rank = len(filters.shape) - 2
    if len(x.shape) != rank + 2 or rank not in (1, 2):
        raise UnsupportedError(
            f"{node}: input of shape {x.shape}, filter {filters.shape}; expected 3 or 4 dimensions"
        )
    return rank


def _named_pads(mode: str, kernel: tuple[int, ...], dilations: tuple[int, ...]) -> tuple[int, ...]:
    total = [d * (k - 1) if mode == "same" else 0 for k, d in zip(kernel, dilations)]
    return (*[t // 2 for t in total], *[t - t // 2 for t in total])


def _conv(context: TorchContext, node: TorchNode, window: _Window) -> None:
    x, filters = context.value(node), context.value(node, 1)
    _check_channels(node, x, filters.shape[1] * window.group)
    attrs = window.attrs(filters.shape[2:])
    context.emit(node, "Conv", [x, filters, context.optional(node, 2)], attrs)


def _deconv(
    context: TorchContext, node: TorchNode, window: _Window, extra: tuple[int, ...]
) -> None:
    """The filter (I, O/g, kh, kw) becomes (O, I/g, kh, kw), as in Top."""
    filters = context.array(node, 1)
    _check_channels(node, context.value(node), filters.shape[0])
    per_group = filters.reshape(window.group, -1, *filters.shape[1:])
    turned = np.moveaxis(per_group, 2, 1)
    turned = turned.reshape(window.group * filters.shape[1], -1, *filters.shape[2:])
    weight = context.weight(f"{node.operands[1]}_transposed", turned)
    attrs = {**window.attrs(filters.shape[2:]), "output_padding": extra}
    context.emit(node, "Deconv", [context.value(node), weight, context.optional(node, 2)], attrs)


def _check_channels(node: TorchNode, x: Value, expected: int) -> None:
    if x.shape[1] != expected:
        raise UnsupportedError(
            f"{node}: its input has shape {x.shape}; expected {expected} channels. "
            "Hint: model.input_shapes"
        )
