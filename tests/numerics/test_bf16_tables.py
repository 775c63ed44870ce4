"""Functions of BF16 numbers by two tables of 256 entries."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.numerics.bf16_tables import (
    log_tables,
    power_tables,
    run_mantissa,
    run_slope,
    slope_tables,
)
from tpuc.numerics.rounding import round_bf16


def _numbers(low: float, high: float) -> np.ndarray:
    return round_bf16(np.linspace(low, high, 4001).astype(np.float32))


@pytest.mark.parametrize(
    ("function", "reach", "error"),
    [(np.tanh, 15.0, 0.01), (lambda x: 1 / (1 + np.exp(-x)), 12.0, 0.005)],
)
def test_interpolated_functions_are_near(function, reach, error) -> None:
    x = _numbers(-1.5 * reach, 1.5 * reach)
    y = run_slope(x, *slope_tables(function, reach), reach)
    assert np.abs(y - function(x.astype(np.float64))).max() < error
    np.testing.assert_array_equal(y, round_bf16(y))


def test_entries_themselves_are_exact() -> None:
    base, slope = slope_tables(np.exp, 16.0)
    x = np.arange(-64, 64, dtype=np.float32) / 8  # 256 / 32 steps to one
    np.testing.assert_array_equal(run_slope(x, base, slope, 16.0), round_bf16(np.exp(x)))


@pytest.mark.parametrize("exponent", [-1.0, 0.5, -0.5, 1.5, 2.0])
def test_powers_are_near(exponent: float) -> None:
    x = round_bf16(np.exp(np.linspace(-20, 20, 2001)).astype(np.float32))
    y = run_mantissa(x, *power_tables(exponent)).astype(np.float64)
    assert np.abs(y / x.astype(np.float64) ** exponent - 1).max() < 0.012


def test_powers_at_zero_and_below() -> None:
    x = np.array([0.0, -2.0, -3.0], np.float32)
    assert run_mantissa(x, *power_tables(-1.0))[0] > 3e38
    assert run_mantissa(x, *power_tables(-1.0))[1] == -0.5
    np.testing.assert_array_equal(run_mantissa(x, *power_tables(2.0)), [0, 4, 9])
    np.testing.assert_array_equal(run_mantissa(x, *power_tables(0.5)), [0, 0, 0])


def test_logarithms_are_sums() -> None:
    x = round_bf16(np.exp(np.linspace(-20, 20, 2001)).astype(np.float32))
    y = run_mantissa(x, *log_tables(), sums=True)
    assert np.abs(y - np.log(x)).max() < 0.13  # one step of BF16 numbers near 20
    assert run_mantissa(np.array([-1.0], np.float32), *log_tables(), sums=True)[0] < -3e38
