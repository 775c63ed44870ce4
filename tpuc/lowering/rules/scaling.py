"""Scale as a 1x1 depthwise convolution."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, Node, Value

__all__ = ["as_depthwise"]


def as_depthwise(node: Node) -> tuple[Value, Value, dict[str, Attr]]:
    """Float filters (C, 1, 1, 1), float bias (C) and attributes of the Conv2D that a Scale is."""
    channels = node.output.shape[1]
    data = np.ascontiguousarray(node.weight(1).reshape(channels, 1, 1, 1))
    filters = Value(f"{node.name}_filter", data.shape, data=data)
    bias = Value(f"{node.name}_bias", (channels,), data=node.weight(2).reshape(-1))
    attrs: dict[str, Attr] = {
        "kernel_shape": (1, 1),
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "group": channels,
        "do_relu": node.attrs["do_relu"],
        "relu_limit": node.attrs["relu_limit"],
    }
    return filters, bias, attrs
