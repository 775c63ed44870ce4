"""The table of integer kernels, and what all of them end with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Node, Value

__all__ = ["INTEGER_KERNELS", "Kernel", "clip", "finish", "kernel", "zero_point"]

Kernel = Callable[..., np.ndarray]

INTEGER_KERNELS: dict[str, Kernel] = {}


def kernel(*ops: str, stored: bool = False) -> Callable[[Kernel], Kernel]:
    """Register a function as the definition of some ops of Graph[tpu].

    `stored`: it takes integers as they are stored, not less their zero points.
    """

    def register(function: Kernel) -> Kernel:
        for op in ops:
            INTEGER_KERNELS[op] = function if stored else _less_zeros(function)
        return function

    return register


def zero_point(value: Value | None) -> int:
    """Stored integer of the number 0."""
    return 0 if value is None or value.quant is None else value.quant.zero_point


def _less_zeros(function: Kernel) -> Kernel:
    def run(node: Node, *operands: np.ndarray | None) -> np.ndarray:
        zeros = [zero_point(v) for v in node.inputs]
        return function(node, *(
            o.astype(np.int64) - z if o is not None and z else o for o, z in zip(operands, zeros)
        ))  # fmt: skip

    return run


def finish(node: Node, y: np.ndarray) -> np.ndarray:
    """The output's zero point, fused relu, then saturation to the output's type."""
    return clip(node, np.asarray(y) + zero_point(node.output))


def clip(node: Node, stored: np.ndarray) -> np.ndarray:
    """Fused relu and saturation of stored integers."""
    value = node.output
    low, high = value.dtype.qrange
    if node.attrs.get("do_relu"):
        low = max(low, zero_point(value))
    return np.clip(stored, low, high).astype(value.dtype.numpy)
