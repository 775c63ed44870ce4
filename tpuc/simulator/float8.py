"""How 8-bit float ops begin and end, in numpy: TPU-MLIR's scaling around the float kernels.

operands of Add:                       half(x * half(f8_scale)), the sum a half, too
operands of Sub, AddConst, SubConst:   float32(x * f8_scale), numbers float32
result of Conv2D:                      f8(float32(y / (1 / out_f8_scale))), channel by channel
result of MatMul, Mul, Pool2D:         f8(float32(y / float32(1 / out_f8_scale)))
others, and all results of F8E5M2:     f8(y)

A relu without a limit, fused into a Conv2D, makes negative sums -0.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import DType, Node
from tpuc.kernels.casts import round_to
from tpuc.numerics.float8 import divide
from tpuc.numerics.rounding import round_f16

__all__ = [
    "finish_float8",
    "in_halves",
    "limited_float8",
    "scale_operands",
    "scales_of",
    "steps_of",
]


def scales_of(node: Node) -> tuple[float, ...]:
    """What each operand of a sum is multiplied by; none for other ops."""
    scales: tuple[float, ...] = node.attrs.get("f8_scales") or ()  # type: ignore[assignment]
    return tuple(float(np.float16(s)) for s in scales) if in_halves(node) else scales


def in_halves(node: Node) -> bool:
    """Whether a sum of F8E4M3 numbers is one of halves."""
    return node.op == "Add" and bool(node.attrs.get("f8_scales"))


def steps_of(node: Node) -> np.ndarray | None:
    """What the result is divided by before it is rounded: float64, one or one a channel."""
    scales = node.attrs.get("out_f8_scales")
    if not scales:
        return None
    steps = 1.0 / np.array(scales, np.float64)
    return steps if node.op == "Conv2D" else steps.astype(np.float32).astype(np.float64)


def scale_operands(node: Node, operands: list[np.ndarray | None]) -> list[np.ndarray | None]:
    """Operands of a sum in the result's scale."""
    scales = scales_of(node)
    if not scales:
        return operands
    scaled = [None if x is None else _times(x, s) for x, s in zip(operands, scales)]
    return [round_f16(x) if in_halves(node) and x is not None else x for x in scaled]


def _times(x: np.ndarray, scale: float) -> np.ndarray:
    return (np.asarray(x, np.float64) * scale).astype(np.float32)


def limited_float8(node: Node, total: np.ndarray) -> np.ndarray:
    """Fused relu of a product."""
    if not node.attrs.get("do_relu"):
        return total
    limit = node.number("relu_limit")
    if limit > 0 or node.op != "Conv2D":
        return np.clip(total, np.float32(0), np.float32(limit) if limit > 0 else None)
    return np.where(total > 0, total, total * np.float32(0))


def finish_float8(node: Node, total: np.ndarray) -> np.ndarray:
    """The stored result of an op from its float32 numbers."""
    if in_halves(node):
        total = round_f16(total)
    steps = steps_of(node)
    if steps is not None:
        by_channel = steps.size > 1
        shape = (1, -1, *(1,) * (total.ndim - 2)) if by_channel else ()
        total = divide(total, steps.reshape(shape))
    assert node.output.dtype in (DType.F8E4M3, DType.F8E5M2)
    return round_to(total, node.output.dtype)
