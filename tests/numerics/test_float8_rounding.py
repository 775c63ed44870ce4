"""8-bit floats against torch's own types, and against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tpuc.numerics.float8 import divide, from_codes, round_f8e4m3, round_f8e5m2, to_codes

TYPES = [(3, round_f8e4m3, torch.float8_e4m3fn), (2, round_f8e5m2, torch.float8_e5m2)]
FLOATS = st.floats(width=32, allow_nan=False)


def _bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x, np.float32).view(np.uint32)


@pytest.mark.parametrize(("mantissa", "rounded", "kind"), TYPES)
def test_every_byte_is_the_number_that_torch_says(mantissa, rounded, kind):
    codes = np.arange(256, dtype=np.uint8)
    numbers, theirs = from_codes(codes, mantissa), torch.from_numpy(codes).view(kind).float()
    np.testing.assert_array_equal(numbers, theirs.numpy())
    real = ~np.isnan(numbers)
    assert (to_codes(numbers, mantissa)[real] == codes[real]).all()
    assert np.isnan(from_codes(to_codes(numbers, mantissa), mantissa)[~real]).all()
    np.testing.assert_array_equal(_bits(rounded(numbers)[real]), _bits(numbers[real]))


@pytest.mark.parametrize(("mantissa", "rounded", "kind"), TYPES)
def test_numbers_between_two_go_to_the_nearer_one_and_halves_to_the_even_one(
    mantissa, rounded, kind
):
    numbers = from_codes(np.arange(0x7B), mantissa).astype(np.float64)
    middles = (numbers[:-1] + numbers[1:]) / 2
    up = np.nextafter(middles.astype(np.float32), np.float32(np.inf))
    down = np.nextafter(middles.astype(np.float32), np.float32(0))
    np.testing.assert_array_equal(rounded(up), numbers[1:])
    np.testing.assert_array_equal(rounded(down), numbers[:-1])
    even = np.where(np.arange(0x7A) % 2 == 0, numbers[:-1], numbers[1:])
    np.testing.assert_array_equal(rounded(middles.astype(np.float32)), even)
    np.testing.assert_array_equal(rounded(-middles.astype(np.float32)), -even)


@pytest.mark.parametrize(("mantissa", "rounded", "kind"), TYPES)
@given(values=st.lists(FLOATS, min_size=1, max_size=50))
def test_rounding_is_torchs_below_the_largest_number(mantissa, rounded, kind, values):
    x = np.array(values, np.float32)
    small = np.abs(x) <= (448 if mantissa == 3 else 57344)
    theirs = torch.from_numpy(x[small]).to(kind).float().numpy()
    np.testing.assert_array_equal(_bits(rounded(x[small])), _bits(theirs))


def test_what_is_too_large_saturates_or_is_infinite_and_nan_stays():
    x = np.array([463, 465, 1e30, np.inf, -500, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(round_f8e4m3(x), [448, 448, 448, 448, -448, -448, np.nan])
    y = np.array([61439, 61440, 1e30, -61440, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(
        round_f8e5m2(y), [57344, np.inf, np.inf, -np.inf, -np.inf, np.nan]
    )


def test_a_quotient_is_rounded_to_float32_before_it_is_one_of_8_bits():
    x, step = np.float32(1.0625), 1 + 2.0**-40
    quotient = divide(x, step)
    assert quotient == np.float32(1.0625)
    assert round_f8e4m3(quotient) == 1.0  # exactly in the middle: the last bit is lost before
