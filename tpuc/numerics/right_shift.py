"""Real factors as a right shift alone, or as a 7-bit multiplier and a shift.

The forms of processors whose INT8 sums have no wide multiplier; read from TPU-MLIR's lowering for
BM1684, and equal to it in every tensor of the golden networks. Integers round half away from zero.
"""

from __future__ import annotations

import math

import numpy as np

from tpuc.numerics.rounding import round_away, saturate

__all__ = ["bias_shift", "filter_shift", "quantize_by", "reciprocal", "term_shift"]

_MOST_OVERFLOW = 0.03


def filter_shift(largest: float, factor: float) -> int:
    """The last r with largest * factor * 2**r < 127; below 0 no shift does.

    Parameters
    ----------
    largest : float
        Largest absolute weight.
    factor : float
        Scale of the input over scale of the output.
    """
    reach = largest * factor
    if reach <= 0:
        return 0
    doublings = 0
    while reach < 127:
        reach *= 2
        doublings += 1
    return 31 if doublings > 32 else doublings - 1


def term_shift(coefficient: float, factor: float) -> int:
    """r = floor(log2(127 / |coefficient * factor|)), in 0..31."""
    reach = abs(coefficient) * factor
    if reach == 0:
        return 31
    return min(max(math.floor(math.log(127.0 / reach) / math.log(2.0)), 0), 31)


def quantize_by(x: np.ndarray, factor: float, bits: int = 8) -> np.ndarray:
    """saturate(round(x * float32(factor))), the product in float32; float64 out."""
    product = np.asarray(x, np.float32) * np.float32(factor)
    limit = 1 << (bits - 1)
    return saturate(round_away(product).astype(np.float64), -limit, limit - 1)


def bias_shift(bias: np.ndarray, shift: int, s_out: float) -> int:
    """The shift, made smaller until at most 3 % of the biases leave 16 bits.

    Parameters
    ----------
    bias : float32 array of shape (O,)
    """
    while shift > 0:
        products = np.asarray(bias, np.float32) * np.float32(2.0**shift / s_out)
        words = round_away(products)
        if np.mean((words > 32767) | (words < -32768)) <= _MOST_OVERFLOW:
            break
        shift -= 1
    return shift


def reciprocal(count: int) -> tuple[int, int]:
    """1 / count ~ m / 2**e: the largest e with m = round(2**e / count) <= 255, then reduced."""
    shift = 0
    while math.floor(2.0 ** (shift + 1) / count + 0.5) <= 255 and shift < 31:
        shift += 1
    multiplier = math.floor(2.0**shift / count + 0.5)
    while multiplier % 2 == 0 and shift:
        multiplier, shift = multiplier // 2, shift - 1
    return multiplier, shift
