"""Multipliers of 31 bits and two shifts, and truncated ones of 7 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpuc.numerics.qdm import (
    channel_factors,
    quantize_by_words,
    shift_two_steps,
    short_multiplier,
    short_shift,
    two_step_words,
)


@given(st.floats(2.0**-30, 1.0, exclude_max=True))
def test_two_shifts_are_the_factor(factor: float) -> None:
    m, r = (int(w[0]) for w in two_step_words(np.array([factor])))
    assert 2**30 <= m < 2**31
    assert abs(m * 2.0 ** -(31 + r) - min(factor, 0.999999)) <= 2.0 ** -(32 + r) + 1e-6 * (
        factor > 0.999999
    )


def test_factors_outside_the_range() -> None:
    m, r = two_step_words(np.array([1.5, 0.0, 2.0**-40]))
    assert m.tolist() == [int(two_step_words(np.array([0.999999]))[0][0]), 0, 0]
    assert r.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("v", "expected"), [(3, 2), (-3, -2), (1, 1), (-1, -1), (-5, -3)])
def test_the_second_step_rounds_away(v: int, expected: int) -> None:
    """v doubled at first: 2**30 halves it again; then a quarter stays of 2 v."""
    assert shift_two_steps(np.array(4 * v), 2**30, 2) == expected


def test_the_first_step_rounds_up() -> None:
    assert shift_two_steps(np.array([1, -1]), 2**30, 0).tolist() == [1, 0]


@given(st.floats(0.001, 127.0))
def test_a_short_multiplier_is_cut(factor: float) -> None:
    m, r = short_multiplier(factor)
    assert m <= factor * 2**r < m + 1
    assert m <= 127


def test_short_multipliers_at_the_edges() -> None:
    assert short_multiplier(200.0) == (127, 0)
    assert short_multiplier(0.0) == (0, 0)
    assert short_multiplier(1.0) == (64, 6)
    assert short_multiplier(-0.5, short_shift(1.0)) == (-32, 6)


def test_a_large_bias_makes_the_factor_larger() -> None:
    largest = np.array([0.5, 0.5, 1e9], np.float32)
    plain = channel_factors(largest, None, 2.0, 4.0)
    assert plain[0] == plain[1] == np.float32(1.0) / np.float32(508)
    assert plain[2] == 0.999999
    bias = np.array([0.0, 1e6, 1e12], np.float32)
    biased = channel_factors(largest, bias, 2.0, 4.0)
    assert biased[0] == plain[0]
    assert biased[1] == pytest.approx(1e6 * 127 / (0x7FFFFFFF * 0.998 * 4.0))
    assert biased[2] == plain[2]  # what it needs is above 1


def test_steps_of_weights_round_to_even() -> None:
    words = np.array([2**30]), np.array([0])  # times 2**31 / 2**30
    q = quantize_by_words(np.array([0.25, 0.75, 1.25, 80.0], np.float32), np.float32(1), words, 8)
    assert q.tolist() == [0, 2, 2, 127]
    none = quantize_by_words(np.array([3.0], np.float32), np.float32(1), (np.array([0]),) * 2, 8)
    assert none.tolist() == [0]
