"""ONNX converters, one op family per file; importing this package registers all of them."""

from tpuc.frontend.converters import (
    activation,
    comparison,
    convolution,
    einsum,
    elementwise,
    indexing,
    matmul,
    movement,
    normalization,
    pooling,
    reduction,
    regions,
    resize,
    rotary,
)

__all__ = [
    "activation",
    "comparison",
    "convolution",
    "einsum",
    "elementwise",
    "indexing",
    "matmul",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "regions",
    "resize",
    "rotary",
]
