"""Real factors below 1 as a 31-bit multiplier and two shifts, and as a truncated 7-bit multiplier.

two steps:  factor = mantissa * 2**-r, 0.5 <= mantissa < 1;  M = round(mantissa * 2**31)
            y = ((v * M + 2**30) >> 31) >> r, the second shift rounding halves away from zero
short:      r = the first with factor * 2**(r + 1) >= 127;  m = trunc(factor * 2**r)

Thresholds enter as float32. Read from TPU-MLIR's lowering for CV18xx, and equal to it in every
tensor of the golden networks.
"""

from __future__ import annotations

import numpy as np

from tpuc.numerics.rounding import round_away, shift_half_away, shift_half_up

__all__ = [
    "channel_factors",
    "quantize_by_words",
    "shift_two_steps",
    "short_multiplier",
    "short_shift",
    "two_step_words",
]

_NEARLY_ONE = 0.999999
_BIAS_ROOM = 0x7FFFFFFF * 0.998
_MOST = 127


def two_step_words(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, r) of factors; one of 1 or more counts as 0.999999, one below 2**-32 as 0.

    Parameters
    ----------
    factors : float64 array

    Returns
    -------
    multipliers, shifts : int64 arrays of the same shape
    """
    values = np.asarray(factors, np.float64)
    mantissa, exponent = np.frexp(np.where(values >= 1, _NEARLY_ONE, values))
    words = round_away(mantissa * 2.0**31).astype(np.int64)
    full = words == 1 << 31
    words, exponent = np.where(full, 1 << 30, words), np.where(full, exponent + 1, exponent)
    none = (exponent < -31) | (words == 0)
    return np.where(none, 0, words), np.where(none, 0, -exponent).astype(np.int64)


def shift_two_steps(
    v: np.ndarray, multiplier: np.ndarray | int, shift: np.ndarray | int
) -> np.ndarray:
    """Both steps, in int64."""
    product = np.asarray(v, np.int64) * np.asarray(multiplier, np.int64)
    return shift_half_away(shift_half_up(product, 31), shift)


def channel_factors(
    largest: np.ndarray, bias: np.ndarray | None, th_in: float, th_out: float
) -> np.ndarray:
    """What one step of each channel's sum is worth in steps of the result, float64.

        max|w| * th_in / (127 * th_out)

    at most 0.999999, and more where |b| * 127 / (0.998 * 2**31 * th_out) is, so that the bias
    fits 32 bits (unless that is 1 or more).

    Parameters
    ----------
    largest : float32 array of shape (C,)
    bias : float32 array of shape (C,), optional
    """
    single = np.float32
    products = np.asarray(largest, single) * single(th_in)
    factors = (products / (single(127) * single(th_out))).astype(np.float64)
    factors = np.where(factors >= 1, _NEARLY_ONE, factors)
    if bias is None:
        return factors
    reach = (np.abs(np.asarray(bias, single)) * single(127)).astype(np.float64)
    needed = reach / (_BIAS_ROOM * float(single(th_out)))
    return np.where((needed > factors) & (needed < 1), needed, factors)


def quantize_by_words(
    x: np.ndarray, ratio: np.float32, words: tuple[np.ndarray, np.ndarray], bits: int
) -> np.ndarray:
    """saturate(round(x * float32(ratio * 2**(r + 31) / M))), halves to even.

    Parameters
    ----------
    x : float32 array
    ratio : float32
        th_in / th_out for weights, 127 / th_out for biases.
    words : (M, r), int64 arrays that broadcast with `x`
    """
    multiplier, shift = words
    scale = float(ratio) * np.exp2(shift + 31.0) / np.maximum(multiplier, 1)
    factor = np.where(multiplier == 0, 0.0, scale).astype(np.float32)
    limit = 1 << (bits - 1)
    q = np.rint(np.asarray(x, np.float32) * factor).astype(np.float64)
    return np.clip(q, -limit, limit - 1).astype(np.int64)


def short_shift(factor: float) -> int:
    """The shift of a short multiplier; 0 where it would be above 62 or `factor` above 127."""
    if factor > _MOST:
        return 0
    for shift in range(63):
        if factor * 2.0 ** (shift + 1) >= _MOST:
            return shift
    return 0


def short_multiplier(factor: float, shift: int | None = None) -> tuple[int, int]:
    """(m, r) of a factor; r is given where several factors share it."""
    if shift is None:
        shift = short_shift(abs(factor))
        if abs(factor) > _MOST:
            return _MOST, 0
        if abs(factor) * 2.0 ** (shift + 1) < _MOST:
            return 0, 0
    return int(np.trunc(factor * 2.0**shift)), shift
