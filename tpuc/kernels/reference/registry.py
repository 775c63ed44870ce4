"""The table of integer kernels, and what all of them end with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Node, Value

__all__ = ["INTEGER_KERNELS", "Kernel", "finish", "kernel"]

Kernel = Callable[..., np.ndarray]

INTEGER_KERNELS: dict[str, Kernel] = {}


def kernel(*ops: str) -> Callable[[Kernel], Kernel]:
    """Register a function as the definition of some ops of Graph[tpu]."""

    def register(function: Kernel) -> Kernel:
        for op in ops:
            INTEGER_KERNELS[op] = function
        return function

    return register


def finish(node: Node, y: np.ndarray, out: Value | None = None) -> np.ndarray:
    """Fused relu, then saturation to the output's type."""
    value = out or node.output
    low, high = value.dtype.qrange
    if node.attrs.get("do_relu"):
        low = max(low, 0)
    return np.clip(y, low, high).astype(value.dtype.numpy)
