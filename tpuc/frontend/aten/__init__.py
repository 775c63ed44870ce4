"""TorchScript converters, one op family per file; importing this package registers all of them."""

from tpuc.frontend.aten import (
    activation,
    convolution,
    elementwise,
    joining,
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
    "joining",
    "matmul",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "resize",
]
