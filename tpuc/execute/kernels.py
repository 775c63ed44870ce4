"""Float kernels: one small torch function per Top op; importing this module registers all of them.

Each takes the node and its operand tensors (None where absent) and returns the outputs. Relu fused
into an op is applied by the runner.
"""

from __future__ import annotations

from tpuc.execute import (
    elementwise,
    movement,
    normalization,
    postprocess,
    regions,
    selection,
    window,
)
from tpuc.execute.registry import KERNELS, Tensor

__all__ = [
    "KERNELS",
    "Tensor",
    "elementwise",
    "movement",
    "normalization",
    "postprocess",
    "regions",
    "selection",
    "window",
]
