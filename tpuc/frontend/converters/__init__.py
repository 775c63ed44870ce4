"""ONNX converters, one op family per file; importing this package registers all of them."""

from tpuc.frontend.converters import (
    activation,
    convolution,
    elementwise,
    matmul,
    movement,
    normalization,
    pooling,
    reduction,
    resize,
)

__all__ = [
    "activation",
    "convolution",
    "elementwise",
    "matmul",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resize",
]
