"""Multipliers and shifts in the order in which the C kernels read them (csrc/requant.h)."""

from __future__ import annotations

import enum

import numpy as np

__all__ = ["BLOCK", "Rounding", "Unfit", "normal_shift", "pack_requant"]

BLOCK = 16


class Rounding(enum.IntEnum):
    """How a product is shifted right; values as in csrc/requant.h."""

    UP = 0
    """Halves up."""

    AWAY = 1
    """Halves away from zero."""

    TWO_STEPS = 2
    """By 31 with halves up, then by the shift with halves away from zero."""


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
    mode: Rounding = Rounding.UP,
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
    mode : Rounding
        The shift of `TWO_STEPS` is that of its second step.

    Returns
    -------
    int64 array of shape (groups * blocks * 64,)

    Raises
    ------
    Unfit : an intermediate value may not fit its word
    """
    if mode == Rounding.TWO_STEPS:
        return _pack_two_steps(factors, bias, sums, zero)
    m, s = normal_shift(*factors)
    if mode == Rounding.AWAY:  # the formula needs a shift; m / 2**0 = 2 m / 2**1
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
    b = bias * m if mode == Rounding.AWAY else bias * m + rounding
    return _interleave(np.stack([m, b, rounding, s]))


def _pack_two_steps(
    factors: tuple[np.ndarray, np.ndarray],
    bias: np.ndarray,
    sums: tuple[np.ndarray, np.ndarray],
    zero: int,
) -> np.ndarray:
    m, s = factors
    if np.any(m < 0) or np.any(m >= 2**31) or np.any(s < 0) or np.any(s > 31):
        raise Unfit(f"multipliers {m.min()}..{m.max()} and shifts {s.min()}..{s.max()}")
    if np.any(sums[0] < -(2**31)) or np.any(sums[1] >= 2**31):
        raise Unfit("a sum beyond int32")
    half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
    for end in sums:
        if np.any(np.abs(end + bias) + half + 1 >= 2**31):
            raise Unfit("a result beyond int32")
    product = _interleave(np.stack([m, bias * m + 2**30])).reshape(*m.shape[:1], -1, 2 * BLOCK)
    steps = _by_block(np.stack([half, -(s > 0).astype(np.int64), s, np.full_like(s, zero)]))
    words = np.ascontiguousarray(steps.transpose(1, 2, 0, 3), np.int32).view(np.int64)
    words = words.reshape(*product.shape[:2], 2 * BLOCK)
    return np.ascontiguousarray(np.concatenate([product, words], axis=2)).reshape(-1)


def _by_block(words: np.ndarray) -> np.ndarray:
    """(words, groups, channels) to (words, groups, blocks, BLOCK), filled up with zeros."""
    count, groups, channels = words.shape
    blocks = -(-channels // BLOCK)
    full = np.zeros((count, groups, blocks * BLOCK), np.int64)
    full[:, :, :channels] = words
    return full.reshape(count, groups, blocks, BLOCK)


def _interleave(words: np.ndarray) -> np.ndarray:
    """[word][group][channel] to [group][block][word][even, odd][pair], as one row."""
    parts = _by_block(words)
    shaped = parts.reshape(*parts.shape[:3], BLOCK // 2, 2).transpose(1, 2, 0, 4, 3)
    return np.ascontiguousarray(shaped).reshape(-1)
