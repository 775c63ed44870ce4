"""Multipliers and shifts in the order in which the C kernels read them (csrc/requant.h)."""

from __future__ import annotations

import numpy as np

__all__ = ["BLOCK", "Unfit", "normal_shift", "pack_requant"]

BLOCK = 16


class Unfit(Exception):
    """An op is outside the ranges of its C kernel; the message says why. The reference runs it."""


def normal_shift(m: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same factors with no negative shift: m * 2**-s, 0; multipliers of 0 need none.

    Raises
    ------
    Unfit : a shift is beyond -31..32, or a multiplier does not fit int32
    """
    s = np.where(np.asarray(m) == 0, 0, s)
    if np.any(s < -31) or np.any(s > 32):
        raise Unfit(f"a shift of {int(s.min())}..{int(s.max())}")
    wide = np.asarray(m, np.int64) << np.maximum(-s, 0)
    if np.any(np.abs(wide) >= 2**31):
        raise Unfit("a multiplier beyond 31 bits")
    return wide, np.maximum(s, 0)


def pack_requant(
    factors: tuple[np.ndarray, np.ndarray],
    bias: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray],
    zero: int,
    away: bool = False,
) -> np.ndarray:
    """Words of `tpuc_requant`.

    Parameters
    ----------
    factors : (multiplier, rshift), int64 arrays of shape (groups, channels)
    bias : int64 array of shape (groups, channels)
        Added to the sum before the multiplication.
    sums : (lowest, highest), int64 arrays of shape (groups, channels)
        Range of the sum without bias.
    zero : int
        Zero byte of the output.
    away : bool
        Halves go away from zero, else up.

    Returns
    -------
    int64 array of shape (groups * blocks * 64,)

    Raises
    ------
    Unfit : an intermediate value may not fit its word
    """
    m, s = normal_shift(*factors)
    if away:  # the formula needs a shift; m / 2**0 = 2 m / 2**1
        m, s = np.where(s == 0, 2 * m, m), np.maximum(s, 1)
        if np.any(np.abs(m) >= 2**31):
            raise Unfit("a multiplier beyond 31 bits")
    if np.any(sums[0] < -(2**31)) or np.any(sums[1] >= 2**31):
        raise Unfit("a sum beyond int32")
    rounding = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), np.int64(0)) + (zero << s)
    for end in sums:
        value = (end.astype(np.float64) + bias) * m + rounding
        if np.any(np.abs(value) >= 2.0**62) or np.any(np.abs(value) / 2.0**s >= 2.0**31 - 1):
            raise Unfit("a result beyond int32")
    b = bias * m if away else bias * m + rounding
    groups, channels = m.shape
    blocks = -(-channels // BLOCK)
    words = np.zeros((4, groups, blocks * BLOCK), np.int64)
    for word, part in zip(words, (m, b, rounding, s)):
        word[:, :channels] = part
    # [word][group][block][pair][even, odd] -> [group][block][word][even, odd][pair]
    shaped = words.reshape(4, groups, blocks, BLOCK // 2, 2).transpose(1, 2, 0, 4, 3)
    return np.ascontiguousarray(shaped).reshape(-1)
