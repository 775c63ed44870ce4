"""int8 transposed convolution: checks and packing for csrc/deconv.c."""

from __future__ import annotations

import numpy as np

from tpuc.kernels._deconv import Deconv, RequantAxis
from tpuc.kernels.requant_words import Rounding, Unfit, normal_shift

__all__ = ["Deconv", "RequantAxis", "pack_deconv", "pack_requant_axis"]


def pack_deconv(
    weights: np.ndarray,
    bias: np.ndarray,
    window: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
    group: int,
) -> Deconv:
    """The kernel of a transposed convolution.

    Parameters
    ----------
    weights : int8 or uint8 array of shape (OC, C / group, KH, KW)
    bias : int64 array of shape (OC,)
    window : (strides, dilations, (top, left))

    Raises
    ------
    Unfit : a sum may not fit int32
    """
    outputs, per_in, kh, kw = weights.shape
    per_out = outputs // group
    largest = np.abs(weights.astype(np.int64)).reshape(outputs, -1).sum(1) * 255 + np.abs(bias)
    if np.any(largest >= 2**31):
        raise Unfit("a sum beyond int32")
    split = weights.astype(np.int16).reshape(group, per_out, per_in, kh, kw)
    order = (3, 4, 2, 1, 0) if per_in == per_out == 1 else (0, 3, 4, 2, 1)
    packed = np.ascontiguousarray(split.transpose(order)).reshape(-1)
    return Deconv((group, per_in, per_out), (kh, kw), *window, packed, bias.astype(np.int32))


def pack_requant_axis(
    words: np.ndarray, zero: int, low: int, mode: Rounding = Rounding.AWAY
) -> RequantAxis:
    """The kernel of a requantization by channel.

    Halves go up as halves away from zero do that are moved: x + half >> s is
    2 * x + 1 + 2 * half >> s + 1, which meets no half.

    Parameters
    ----------
    words : integer array of shape (C, 3)
        Multiplier, shift, zero point.
    zero, low : int
        Zero byte and smallest byte of the result.
    mode : Rounding
        Of two steps, the shift is that of the second.

    Raises
    ------
    Unfit : a shift or a multiplier is out of range
    """
    if mode == Rounding.TWO_STEPS:
        m, s, point = np.ascontiguousarray(words.T, np.int64)
        if np.any(m < 0) or np.any(s < 0) or np.any(s > 31) or np.any(point != 0):
            raise Unfit("a shift or a multiplier out of range for two steps")
        half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
        return RequantAxis(m, half, s, low, True, zero)
    m, s = normal_shift(words[:, 0].astype(np.int64), words[:, 1].astype(np.int64))
    if mode == Rounding.UP:
        if np.any(s > 31) or np.any(np.abs(m) >= 2**30):
            raise Unfit("a multiplier or a shift too large for halves up")
        half = np.where(s == 0, 1, (np.int64(1) << s) + 1)
        m, s = 2 * m, s + 1
    else:
        m, s = np.where(s == 0, 2 * m, m), np.maximum(s, 1)
        half = np.int64(1) << (s - 1)
    r = half + ((words[:, 2].astype(np.int64) + zero) << s)
    return RequantAxis(m, r, s, low)
