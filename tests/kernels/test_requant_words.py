"""Packed multipliers: the ranges that the C kernels may meet, and those they must not."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.kernels.requant_words import Rounding, Unfit, normal_shift, pack_requant


def _one(value: int) -> np.ndarray:
    return np.array([[value]], np.int64)


def _pack(m: int, s: int, bias: int = 0, ends: tuple[int, int] = (-1000, 1000)) -> np.ndarray:
    return pack_requant((_one(m), _one(s)), _one(bias), (_one(ends[0]), _one(ends[1])), 128)


def test_words_lie_even_then_odd() -> None:
    channels = np.arange(18, dtype=np.int64)[None]
    words = pack_requant(
        (channels + 1, np.full((1, 18), 4)), channels, (channels * 0, channels * 0), 0
    )
    blocks = words.reshape(2, 4, 2, 8)
    np.testing.assert_array_equal(blocks[0, 0, 0], [1, 3, 5, 7, 9, 11, 13, 15])
    np.testing.assert_array_equal(blocks[0, 0, 1], [2, 4, 6, 8, 10, 12, 14, 16])
    np.testing.assert_array_equal(blocks[0, 1, 0, :2], [8, 2 * 3 + 8])
    assert blocks[1, 0].ravel().tolist() == [17] + [0] * 7 + [18] + [0] * 7


def test_rounding_and_zero_are_in_the_offset() -> None:
    words = _pack(3, 5, bias=7).reshape(4, 2, 8)
    assert words[1, 0, 0] == 7 * 3 + 2**4 + (128 << 5)
    assert words[3, 0, 0] == 5


def test_negative_shift_becomes_a_factor() -> None:
    m, s = normal_shift(_one(3), _one(-4))
    assert (int(m[0, 0]), int(s[0, 0])) == (48, 0)


@pytest.mark.parametrize("shift", [-40, -32, 0, 32, 40])
def test_nothing_is_nothing_whatever_the_shift(shift: int) -> None:
    m, s = normal_shift(_one(0), _one(shift))
    assert (int(m[0, 0]), int(s[0, 0])) == (0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        (2**31, 1),
        (1, 33),
        (2**30, -2),
        (2**30, 0),
        (1, 0, 2**40),
        (1, 1, 0, (-(2**31) - 1, 0)),
        (1, 1, 0, (0, 2**31)),
        (2**30, 32, 2**33),
    ],
)
def test_ranges(arguments: tuple) -> None:
    with pytest.raises(Unfit):
        _pack(*arguments)


def test_two_steps_have_words_by_channel() -> None:
    shifts = np.arange(3, dtype=np.int64)[None]
    ends = np.full((1, 3), -1000), np.full((1, 3), 1000)
    factors = np.full((1, 3), 2**30), shifts
    words = pack_requant(factors, shifts + 5, ends, 128, Rounding.TWO_STEPS)
    assert words[16] == 5 * 2**30 + 2**30  # bias of the first channel
    half, sign, shift, zero = words[32:64].view(np.int32).reshape(4, 16)[:, :3].tolist()
    assert half == [0, 1, 2]
    assert sign == [0, -1, -1]
    assert shift == [0, 1, 2]
    assert zero == [128] * 3


@pytest.mark.parametrize(("m", "s", "bias"), [(2**31, 1, 0), (-1, 1, 0), (1, 32, 0), (1, 0, 2**31)])
def test_ranges_of_two_steps(m: int, s: int, bias: int) -> None:
    ends = _one(-1000), _one(1000)
    with pytest.raises(Unfit):
        pack_requant((_one(m), _one(s)), _one(bias), ends, 128, Rounding.TWO_STEPS)
