"""TorchScript converters, one op family per file; importing this package registers all of them."""

from tpuc.frontend.aten import (
    activation,
    attention,
    comparison,
    convolution,
    elementwise,
    joining,
    matmul,
    movement,
    normalization,
    pooling,
    reduction,
    resize,
    rolling,
)

__all__ = [
    "activation",
    "attention",
    "comparison",
    "convolution",
    "elementwise",
    "joining",
    "matmul",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "rolling",
]
