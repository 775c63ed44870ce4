"""Transposed convolutions: a filter turned round slides over pixels with zeros between them.

y[o, i] = sum of x[c, j] * w[o, c, k] over all j, k with j * stride + k * dilation - pad = i

int32 for 8 bits; floats as in `float_convolution`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules import convolution, filters, float_convolution
from tpuc.backends.bm1684x.rules.in_groups import in_groups
from tpuc.backends.bm1684x.rules.rule import BYTES, shape_of, why_not_floats, window_of
from tpuc.backends.bm1684x.tiling import Axis, Window, axes_of, band_of
from tpuc.ir import DType, Node

__all__ = ["FLOAT_RULES", "RULES"]

_MOST = 15  # zeros, dilations - 1 and pads have 4 bits


def _window(node: Node) -> tuple[Window, tuple[Axis, Axis]]:
    """What slides, and both axes."""
    plain = window_of(node)
    kernel, dilations, spread = plain.kernel, plain.dilations, plain.strides
    top, left = (dilations[i] * (kernel[i] - 1) - plain.pads[i] for i in (0, 1))
    before, after = shape_of(node.activations[0]), shape_of(node.output)
    window = Window(kernel, (1, 1), dilations, (top, left, 0, 0), spread)
    axes = axes_of(window, before[2:], after[2:])
    h, w = (band_of(axis, 0, axis.out) for axis in axes)
    return replace(window, pads=(top, left, h.after, w.after)), axes


def _why_not_window(node: Node) -> str | None:
    if len(node.activations[0].shape) not in (3, 4):
        return f"its input has shape {list(node.activations[0].shape)}"
    window, axes = _window(node)
    numbers = {
        "strides": [s - 1 for s in window.spread],
        "dilations": [d - 1 for d in window.dilations],
        "pads": [p + s - 1 for p, s in zip(window.pads, window.spread * 2)],
    }
    for name, some in numbers.items():
        if min(some) < 0 or max(some) > _MOST:
            return f"{name} {list(node.ints(name))} do not fit 4 bits"
    for axis in axes:
        covered = (axis.kernel - 1) * axis.dilation + 1 >= axis.spread
        if not covered or axis.out - 1 - axis.before > (axis.size - 1) * axis.spread:
            return f"kernel_shape {list(node.ints('kernel_shape'))} leaves results without inputs"
    return None


def _turned(node: Node) -> np.ndarray:
    weight = node.weight(1)
    if weight.ndim == 3:
        weight = weight[:, :, None]
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1])


def _groups(e: Emitter, node: Node) -> Iterator[tuple[Remote, Remote, int, slice]]:
    """Of each group: both sides, channels of the input, filters."""
    source, target = node.activations[0], node.output
    before, after = shape_of(source), shape_of(target)
    group, count = node.integer("group"), len(node.weight(1))
    if group == before[1] == count:
        group = 1  # depthwise: one part
    per_in, per_out = before[1] // group, count // group
    for g in range(group):
        yield (
            e.remote(source, before).at((0, g * per_in, 0, 0), element_of(source)),
            e.remote(target, after).at((0, g * per_out, 0, 0), element_of(target)),
            per_in,
            slice(g * per_out, (g + 1) * per_out),
        )


def _covers_bytes(node: Node) -> str | None:
    source, target = node.activations[0], node.output
    if source.dtype not in BYTES or target.dtype != DType.SI32:
        return f"makes {target.dtype} of {source.dtype}"
    if node.flag("do_relu"):
        return "do_relu is true"
    return filters.why_not_weights(node) or _why_not_window(node)


def _byte_parts(e: Emitter, node: Node) -> Iterator[filters.Part]:
    (window, axes), weights = _window(node), _turned(node)
    words = filters.words_of(node, np.array(0), np.array(0), len(weights))
    types = element_of(node.activations[0]), element_of(node.output)
    for source, target, channels, some in _groups(e, node):
        batch = node.output.shape[0]
        yield filters.Part(
            source,
            target,
            batch,
            channels,
            types,
            axes,
            window,
            weights[some],
            words[some],
            tiu.HALF_AWAY,
            False,
        )


def _covers_floats(node: Node) -> str | None:
    wrong = why_not_floats(node) or float_convolution.why_not_weights(node)
    return wrong or _why_not_window(node)


def _float_parts(e: Emitter, node: Node) -> Iterator[float_convolution.Part]:
    (window, axes), weights = _window(node), _turned(node)
    biases, dtype = float_convolution.biases_of(node, len(weights)), node.output.dtype
    for source, target, channels, some in _groups(e, node):
        yield float_convolution.Part(
            source,
            target,
            node.output.shape[0],
            channels,
            dtype,
            element_of(node.output),
            axes,
            window,
            weights[some],
            biases[some],
            float_convolution.limits_of(node),
        )


RULES = {
    "Deconv": in_groups(_covers_bytes, _byte_parts, convolution.emit_part, convolution.whole),
}
FLOAT_RULES = {
    "Deconv": in_groups(
        _covers_floats, _float_parts, float_convolution.emit_part, float_convolution.whole
    ),
}
