"""Functions of one BF16 number by tables of 256 BF16 entries, as CV18xx computes them.

slope:     t = bf16(x * bf16(256 / (2 * reach))),  i = t cut to an integer in -128..127
           y = bf16(base[i] + bf16(bf16(t - i) * slope[i]))
           base[i] = bf16(f(i * 2 * reach / 256)), slope[i] = the step to the next entry away from
           zero; beyond the ends that of f between one and three times the reach
mantissa:  y = bf16(power[e] * mantissa[m]), or their sum: x = +-2**e * (1 + m / 128)
           power[e] = bf16(2**(e * p)), mantissa[m] = bf16((1 + m / 128)**p); of a logarithm the
           logarithms

Entries for negative i lie at i + 256. Rounding is to nearest even. Source: TPU-MLIR's tables,
measured with its interpreter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.numerics.rounding import round_bf16

__all__ = [
    "SOFTMAX_REACH",
    "log_tables",
    "power_tables",
    "run_mantissa",
    "run_slope",
    "slope_tables",
]

SOFTMAX_REACH = 15.0
"""Reach of the exponential in a softmax."""

_ENTRIES = 256
_HALF = 128
_LEAST = -62
_MOST = np.uint32(0x7F7F0000).view(np.float32)
"""The largest finite BF16 number."""


def _round(x: np.ndarray | float) -> np.ndarray:
    return round_bf16(np.asarray(x, np.float32))


def slope_tables(
    function: Callable[[np.ndarray], np.ndarray], reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """(base, slope) of a function from -reach to reach, float32 arrays of 256 BF16 numbers."""
    step = np.float32(2 * int(reach)) / np.float32(_ENTRIES)
    places = np.arange(_HALF, dtype=np.float32) * step
    x = np.concatenate([places, np.float32(-reach) + places]).astype(np.float64)
    with np.errstate(all="ignore"):
        base = _round(function(x).astype(np.float32))
    slope = np.zeros(_ENTRIES, np.float32)
    slope[: _HALF - 1] = _round(base[1:_HALF] - base[: _HALF - 1])
    slope[_HALF + 1 :] = _round(base[_HALF + 1 :] - base[_HALF:-1])
    scale = float(np.float32(_ENTRIES) / np.float32(2 * reach))
    with np.errstate(all="ignore"):
        last, beyond = function(np.array([reach, 3.0 * reach]))
        first, before = function(np.array([-reach, -3.0 * reach]))
    slope[_HALF - 1] = _round((beyond - last) / (2 * reach * scale))
    slope[_HALF] = _round((first - before) / (2 * reach * scale))
    return base, slope


def run_slope(x: np.ndarray, base: np.ndarray, slope: np.ndarray, reach: float) -> np.ndarray:
    """The function of BF16 numbers."""
    scale = _round(_ENTRIES / (2.0 * reach))
    with np.errstate(all="ignore"):
        place = _round(np.asarray(x, np.float32) * scale)
        whole = np.clip(np.nan_to_num(np.trunc(place)), -_HALF, _HALF - 1).astype(np.float32)
        rest = _round(place - whole)
        at = whole.astype(np.int64) & 0xFF
        return _round(base[at] + _round(rest * slope[at]))


def power_tables(exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """(power, mantissa) of x**exponent."""
    powers = np.exp2(exponent * np.arange(_LEAST, _LEAST + _HALF - 1, dtype=np.float64))
    at_zero = _MOST if exponent < 0 else np.float32(exponent == 0)
    half = np.concatenate([[at_zero], np.minimum(powers, _MOST).astype(np.float32)])
    below = np.zeros(_HALF) if exponent != int(exponent) else half * (1 - 2 * (int(exponent) % 2))
    table = np.concatenate([half, below])
    table[_HALF] = at_zero
    mantissa = (1.0 + np.arange(_HALF) / 128.0) ** exponent
    return _round(table), _round(np.tile(mantissa, 2))


def log_tables() -> tuple[np.ndarray, np.ndarray]:
    """(power, mantissa) of the natural logarithm; of what has none the least number."""
    table = np.full(_ENTRIES, -_MOST, np.float32)
    places = np.arange(_LEAST, _LEAST + _HALF - 1, dtype=np.float32).astype(np.float64)
    table[1:_HALF] = _round(places * np.log(2.0))
    mantissa = np.log(1.0 + np.arange(_HALF) / 128.0)
    return table, _round(np.tile(mantissa, 2))


def run_mantissa(
    x: np.ndarray, power: np.ndarray, mantissa: np.ndarray, sums: bool = False
) -> np.ndarray:
    """The function of BF16 numbers: products of entries, or `sums`."""
    x = np.ascontiguousarray(x, np.float32)
    with np.errstate(all="ignore"):
        level = np.floor(np.log2(np.abs(x).astype(np.float64)))
        level = np.clip(np.nan_to_num(level, nan=0.0), _LEAST, _LEAST + _HALF - 2)
        at = (level - _LEAST + 1).astype(np.int64) + np.where(x < 0, _HALF, 0)
        whole = power[np.where(x == 0, 0, at)]
        part = mantissa[(x.view(np.uint32) >> np.uint32(16)) & np.uint32(0xFF)]
        return _round(whole + part if sums else whole * part)
