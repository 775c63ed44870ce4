"""Integer ops of Graph[tpu] in numpy: slow, obvious, and the definition of the arithmetic.

Every function takes the node and its operands as integers less their zero points and returns the
stored result; one that only moves integers, or looks them up, takes them as they are stored.
`>>` is a rounding shift: half up unless the node says half away from zero. Sums are exact: int64,
or float64 below 2**53. One module holds one family of ops.
"""

from __future__ import annotations

from tpuc.kernels.reference import activation, arithmetic, attention, movement, selection, window
from tpuc.kernels.reference.registry import INTEGER_KERNELS, finish
from tpuc.kernels.reference.window import conv_sums

__all__ = [
    "INTEGER_KERNELS",
    "activation",
    "arithmetic",
    "attention",
    "conv_sums",
    "finish",
    "movement",
    "selection",
    "window",
]
