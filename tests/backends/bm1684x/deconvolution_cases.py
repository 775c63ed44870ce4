"""Transposed convolutions of 8-bit numbers to int32, and what follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.kernels.single_op import ONE, single_op
from tpuc.ir import DType, Graph, Value, with_defaults

__all__ = ["DECONVOLUTION", "size_of"]

S8, U8, S32 = DType.SI8, DType.UI8, DType.SI32


def size_of(shape: tuple[int, ...], kernel: tuple[int, int], attrs: dict[str, Any]) -> list[int]:
    """Rows and columns of the result."""
    strides, dilations, pads = attrs["strides"], attrs["dilations"], attrs["pads"]
    more = attrs.get("output_padding") or (0, 0)
    return [
        (n - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - pads[i] - pads[i + 2] + more[i]
        for i, n in enumerate(shape[2:])
    ]


def deconv(
    shape: tuple[int, ...], out: int, kernel: tuple[int, int], dtype: DType = U8, **attrs: Any
) -> Graph:
    """Deconv and RequantIntAxis."""
    rng = np.random.default_rng(out)
    defaults = {"strides": (2, 2), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1}
    relu = attrs.pop("do_relu", False)
    attrs = {**defaults, **attrs, "kernel_shape": kernel}
    weights = rng.integers(-128, 128, (out, shape[1] // attrs["group"], *kernel)).astype(np.int8)
    bias = rng.integers(-(2**15), 2**15, out).astype(np.int32)
    sums = (shape[0], out, *size_of(shape, kernel, attrs))
    graph = single_op("Deconv", [(shape, dtype)], (sums, S32), attrs, [weights, bias])
    words = np.stack([rng.integers(2**29, 2**31 - 1, out), rng.integers(37, 41, out), 0 * bias], 1)
    table = Value("words", words.shape, S32, None, words.astype(np.int32))
    result = Value("y", sums, S8, ONE)
    more = with_defaults("RequantIntAxis", {"do_relu": relu}, "tpu")
    graph.add("RequantIntAxis", [graph.outputs[0], table], [result], more)
    graph.outputs = [result]
    return graph


DECONVOLUTION: dict[str, Callable[[], Graph]] = {
    "deconv": lambda: deconv((1, 70, 9, 8), 130, (4, 4), pads=(1, 1, 1, 1)),
    "deconv of odd steps": lambda: deconv(
        (2, 5, 7, 6), 9, (3, 5), S8, strides=(2, 3), pads=(1, 0, 0, 2), do_relu=True
    ),
    "deconv with more results": lambda: deconv(
        (1, 8, 6, 6), 4, (3, 3), pads=(1, 1, 1, 1), output_padding=(1, 1)
    ),
    "deconv dilated": lambda: deconv((1, 4, 6, 7), 5, (3, 3), strides=(1, 1), dilations=(2, 3)),
    "deconv groups": lambda: deconv((1, 12, 6, 6), 8, (2, 2), group=4),
    "deconv of each channel": lambda: deconv(
        (1, 70, 6, 6), 70, (4, 4), S8, group=70, pads=(1, 1, 1, 1)
    ),
    "deconv in tiles": lambda: deconv((1, 64, 70, 90), 64, (4, 4), pads=(1, 1, 1, 1)),
}
