"""Convolutions and products whose order of summation is checked, with operands made from a name.

The operands are F16 numbers, so that F16 and F32 builds compute with the same ones.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

__all__ = ["CONVS", "DECONVS", "MATMULS", "ConvCase", "MatMulCase", "made"]


class ConvCase(NamedTuple):
    """One convolution: shapes, then (strides, pads, dilations), group, and the kept outputs."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    group: int = 1
    step: int = 1
    """Every `step`-th output channel is in the fixture."""

    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
        """Strides, pads, dilations."""
        return (self.stride,) * 2, (self.pad,) * 4, (self.dilation,) * 2  # type: ignore[return-value]


class MatMulCase(NamedTuple):
    """One matrix product; a constant right side has a bias too."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    constant: bool = True


CONVS = {
    "one_chunk": ConvCase((1, 384, 3, 4), (5, 384, 1, 1)),
    "two_halves": ConvCase((1, 385, 4, 4), (12, 385, 1, 1)),
    "chunk_and_halves": ConvCase((1, 900, 4, 4), (9, 900, 1, 1)),
    "three_chunks": ConvCase((1, 1152, 3, 3), (6, 1152, 1, 1)),
    "chunks_and_halves": ConvCase((1, 2048, 2, 3), (4, 2048, 1, 1)),
    "packed_with_rest": ConvCase((1, 800, 32, 32), (101, 800, 1, 1), step=50),
    "one_pixel": ConvCase((1, 303, 1, 1), (10, 303, 1, 1)),
    "one_pixel_of_nine": ConvCase((2, 33, 3, 3), (6, 33, 3, 3)),
    "short_lanes": ConvCase((1, 13, 1, 1), (5, 13, 1, 1)),
    "one_output": ConvCase((1, 500, 4, 5), (1, 500, 1, 1)),
    "one_output_by_threads": ConvCase((1, 513, 6, 6), (1, 513, 1, 1)),
    "dense": ConvCase((1, 50, 5, 5), (7, 50, 3, 3), pad=1),
    "dense_strided": ConvCase((1, 90, 6, 7), (4, 90, 3, 3), stride=2, pad=1),
    "dense_dilated": ConvCase((1, 20, 6, 6), (4, 20, 5, 5), pad=4, dilation=2),
    "stem": ConvCase((1, 3, 12, 12), (8, 3, 7, 7), stride=2, pad=3),
    "depthwise": ConvCase((2, 12, 6, 6), (12, 1, 5, 5), pad=2, group=12),
    "grouped_batch": ConvCase((3, 400, 3, 3), (8, 100, 3, 3), pad=1, group=4),
}

DECONVS = {
    # weights are (outputs, inputs, kernel, kernel); ONNX has the inputs first
    "deconv_blocks": ConvCase((1, 40, 4, 5), (6, 40, 4, 4), stride=2, pad=1),
    "deconv_dense": ConvCase((2, 19, 5, 4), (5, 19, 3, 3), pad=1),
}

MATMULS = {
    "matmul_one_chunk": MatMulCase((3, 512), (512, 5)),
    "matmul_two_chunks": MatMulCase((2, 3, 1000), (1000, 6)),
    "matmul_long_chunks": MatMulCase((1, 1100), (1100, 7)),
    "matmul_activations": MatMulCase((1, 2, 5, 600), (1, 2, 600, 6), constant=False),
    "matmul_column": MatMulCase((1, 700), (700, 1)),
}


def made(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers that depend on the name alone, F16 numbers in float32."""
    rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return rng.standard_normal(shape).astype(np.float16).astype(np.float32)
