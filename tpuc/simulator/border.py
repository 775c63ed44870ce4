"""Between plain arrays and images: inputs, and casts from and to float32 in one go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import DType, Node
from tpuc.kernels._float import FloatView
from tpuc.kernels._int8 import View
from tpuc.kernels.casts import dequantize_factor, quantize_factor, through_bf16
from tpuc.kernels.float_conv import cast_end

__all__ = ["load_cast", "load_input", "store_cast"]


def load_input(view: View, threads: int) -> Callable[[np.ndarray], None]:
    """An array in its stored type to an image."""

    def load(array: np.ndarray) -> None:
        if isinstance(view, FloatView) and _is_channels_last(array):
            view.pixels[...] = array.transpose(0, 2, 3, 1)
        else:
            view.load(np.ascontiguousarray(array).reshape(-1).view(np.uint8), threads)
        view.fill_halo(threads)

    return load


def _is_channels_last(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.transpose(0, 2, 3, 1).flags.c_contiguous


def load_cast(node: Node, view: View, threads: int) -> Callable[[np.ndarray], None]:
    """From float32 to the image of the result."""
    source, out, short = node.activations[0], node.output, through_bf16(node)
    end = cast_end(source.dtype, out.dtype, short) if out.dtype.is_float else None
    inverse = 0.0 if out.quant is None else quantize_factor(out.quant.scale, DType.F32, short)

    def load(given: np.ndarray) -> None:
        array = np.ascontiguousarray(given, np.float32).reshape(-1)
        if end is None:
            view.quantize(array, inverse, threads, short)
        else:
            view.load_rounded(array, end, threads)
        view.fill_halo(threads)

    return load


def store_cast(node: Node, view: View, threads: int) -> Callable[[], np.ndarray]:
    """From the 8-bit image of the operand to float32."""
    source, out, short = node.activations[0], node.output, through_bf16(node)
    assert source.quant is not None
    scale = dequantize_factor(source.quant.scale, out.dtype, short)

    def store() -> np.ndarray:
        array = np.empty(out.shape, np.float32)
        view.dequantize(array.reshape(-1), scale, threads, short)
        return array

    return store
