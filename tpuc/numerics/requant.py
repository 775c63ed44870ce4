"""Real factors as integer multiplier and right shift: factor ~ multiplier / 2**shift."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tpuc.numerics.rounding import round_away

__all__ = ["multiplier_shift", "multipliers_shifts"]

_LAST = 30
_NEAR = 16
"""Bits of a factor beyond the finest steps, so few that float32 tells all errors apart."""
_TINY = 1e-30
"""Below it errors may vanish in float32."""
_LIMIT = {32: 2**31 - 1, 8: 127}


def multipliers_shifts(
    factors: np.ndarray, bits: int = 32, positive: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The best multiplier of `bits` bits for each factor.

    For n from -32 (0 if `positive`) to 30: m = round(factor * 2**n), error = |m / 2**n - factor|
    in float32; a strictly smaller error with |m| below the limit (2**31 - 1, or 127) wins. The
    factor itself is rounded to float32 first, so a 32-bit multiplier is the exact 24-bit mantissa
    where the shift allows.

    Parameters
    ----------
    factors : float array of shape (C,)

    Returns
    -------
    multipliers, shifts : int64 arrays of shape (C,)
    """
    words = np.ascontiguousarray(factors, np.float32)
    if bits != 32:
        multipliers, shifts = _best(words.tobytes(), bits, positive)
        return multipliers.copy(), shifts.copy()
    multipliers, shifts, exact = _mantissas(words, 0 if positive else -32)
    if not exact.all():
        rest = _best(words[~exact].tobytes(), bits, positive)
        multipliers[~exact], shifts[~exact] = rest
    return multipliers, shifts


def _mantissas(words: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors as odd integer over a power of two, and where that is the answer.

    An error of 0 wins, and the first n that has it: that which leaves the odd part of a mantissa.
    Where no n has it, the finest steps have the least error, and the first n on whose steps their
    nearest number lies wins; of two equally near the even one lies on coarser steps.
    """
    fractions, exponents = np.frexp(words.astype(np.float64))
    whole = np.ldexp(fractions, 24).astype(np.int64)
    low = np.where(whole == 0, 1, whole & -whole)  # lowest set bit
    shifts = 24 - exponents.astype(np.int64) - np.log2(low).astype(np.int64)
    odd = whole // low
    fine = np.flatnonzero((shifts > _LAST) & (shifts <= _LAST + _NEAR))
    scaled = words[fine].astype(np.float64) * 2.0**_LAST
    near = np.rint(scaled).astype(np.int64)
    fine, near = fine[near != 0], near[near != 0]
    low = near & -near
    odd[fine], shifts[fine] = near // low, _LAST - np.log2(low).astype(np.int64)
    exact = (np.abs(words) > _TINY) & (shifts >= first) & (shifts <= _LAST)
    return odd, shifts, exact


@lru_cache(maxsize=1 << 14)
def _best(words: bytes, bits: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
    """`multipliers_shifts` of float32 factors; searches lower the same factors again and again."""
    scale = np.frombuffer(words, np.float32).astype(np.float64)
    best = np.full(scale.shape, np.inf, np.float32)
    shift = np.zeros(scale.shape, np.int64)
    first = 0 if positive else -32
    largest = float(np.abs(scale).max(initial=0.0))
    for n in range(first, 31):
        if n > first and largest * 2.0**n < 0.25:
            continue  # all round to 0, as for the first n
        m = round_away(scale * 2.0**n)
        error = np.abs(m / 2.0**n - scale).astype(np.float32)
        better = (error < best) & (np.abs(m) < _LIMIT[bits])
        best = np.where(better, error, best)
        shift = np.where(better, n, shift)
    return round_away(scale * np.exp2(shift.astype(np.float64))).astype(np.int64), shift


def multiplier_shift(factor: float, bits: int = 32, positive: bool = False) -> tuple[int, int]:
    """`multipliers_shifts` of one factor."""
    m, s = multipliers_shifts(np.array([factor]), bits, positive)
    return int(m[0]), int(s[0])
