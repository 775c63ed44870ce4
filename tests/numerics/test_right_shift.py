"""Shifts and small multipliers against what they promise, and TPU-MLIR's words for BM1684."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpuc.numerics.right_shift import (
    bias_shift,
    filter_shift,
    quantize_by,
    reciprocal,
    term_shift,
)


@given(st.floats(1e-4, 100.0), st.floats(1e-3, 10.0))
def test_the_shift_of_a_filter_is_the_last_that_fits(largest, factor):
    shift = filter_shift(largest, factor)
    assert shift <= 31
    if shift < 31:
        assert largest * factor * 2.0**shift < 127 or shift == -1
        assert largest * factor * 2.0 ** (shift + 1) >= 127


def test_a_filter_of_zeros_and_one_too_large():
    assert filter_shift(0.0, 1.0) == 0
    assert filter_shift(200.0, 1.0) == -1


@given(st.floats(-50.0, 50.0).filter(lambda c: abs(c) > 1e-3), st.floats(1e-2, 100.0))
def test_a_term_uses_the_upper_half_of_seven_bits(coefficient, factor):
    shift = term_shift(coefficient, factor)
    word = abs(coefficient) * factor * 2.0**shift
    if 0 < shift < 31:
        assert 63.4 < word <= 127.0001


@pytest.mark.parametrize(
    ("ratio", "word"), [(0.3234353 / 0.4469409, (93, 7)), (0.4039548 / 0.4469409, (116, 7))]
)
def test_an_add_of_tpu_mlir(ratio, word):
    shift = term_shift(1.0, ratio)
    assert (int(quantize_by(np.array(1.0), 2.0**shift * ratio)), shift) == word


@pytest.mark.parametrize(
    ("count", "word"),
    [(1, (1, 0)), (4, (1, 2)), (9, (57, 9)), (49, (167, 13)), (64, (1, 6)), (225, (73, 14))],
)
def test_reciprocals_of_tpu_mlir(count, word):
    assert reciprocal(count) == word


@given(st.integers(1, 225))
def test_a_reciprocal_is_reduced_and_near(count):
    m, e = reciprocal(count)
    assert m <= 255
    assert m % 2 or e == 0
    assert abs(m / 2.0**e * count - 1) <= 1 / 256


def test_biases_that_leave_16_bits_take_shifts_away():
    few = np.array([1.0] * 99 + [1e6], np.float32)
    assert bias_shift(few, 10, 1.0) == 10  # 1 % may be cut
    many = np.array([100.0] * 10, np.float32)
    assert bias_shift(many, 10, 1.0) == 8  # 100 * 2**8 fits 16 bits, 2**9 does not
    assert quantize_by(few[-1:], 2.0**10, 16) == [32767]


@given(st.floats(-300, 300, width=32), st.floats(2.0**-6, 64.0))
def test_quantizing_saturates_and_rounds_away_from_zero(x, factor):
    product = np.float32(x) * np.float32(factor)
    expected = np.clip(np.sign(product) * np.floor(abs(float(product)) + 0.5), -128, 127)
    assert quantize_by(np.array([x], np.float32), factor)[0] == expected
