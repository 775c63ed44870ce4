"""Floats of 8 bits, held as float32 that the type can hold.

F8E4M3: 4 bits of exponent, 3 of mantissa, largest 448, steps of 2^-9 below 2^-6, no infinity
F8E5M2: 5 bits of exponent, 2 of mantissa, largest 57344, steps of 2^-16 below 2^-14

Rounding is to nearest even. Beyond the largest number F8E4M3 saturates and F8E5M2 becomes
infinite, as TPU-MLIR's simulator has it; what is denormal in float32 becomes zero, NaN stays NaN.
Source: Micikevicius et al. 2022, FP8 Formats for Deep Learning.
"""

from __future__ import annotations

import numpy as np

__all__ = ["F8E4M3_MAX", "divide", "from_codes", "round_f8e4m3", "round_f8e5m2", "to_codes"]

F8E4M3_MAX = 448.0
"""Largest F8E4M3 number."""

_F8E5M2_MAX = 57344.0


def _rounded(x: np.ndarray, mantissa: int, least: int) -> np.ndarray:
    """`|x|` with so many bits behind the point, steps of 2^(least - mantissa) at least; float64."""
    magnitude = np.abs(np.asarray(x, np.float32)).astype(np.float64)
    step = np.exp2(np.maximum(np.frexp(magnitude)[1] - 1, least) - mantissa)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(magnitude), np.rint(magnitude / step) * step, magnitude)


def _signed(magnitude: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.copysign(magnitude, x).astype(np.float32).reshape(np.shape(x))


def round_f8e4m3(x: np.ndarray) -> np.ndarray:
    """Round float32 to F8E4M3 and back; what is beyond +-448 becomes +-448."""
    return _signed(np.minimum(_rounded(x, 3, -6), F8E4M3_MAX), x)


def round_f8e5m2(x: np.ndarray) -> np.ndarray:
    """Round float32 to F8E5M2 and back; what is beyond +-57344 becomes infinite."""
    magnitude = _rounded(x, 2, -14)
    return _signed(np.where(magnitude > _F8E5M2_MAX, np.inf, magnitude), x)


def divide(x: np.ndarray, step: np.ndarray | float) -> np.ndarray:
    """`float32(float64(x) / step)`, as TPU-MLIR scales before it rounds."""
    with np.errstate(over="ignore", invalid="ignore"):
        return (np.asarray(x, np.float32).astype(np.float64) / step).astype(np.float32)


def from_codes(codes: np.ndarray, mantissa: int) -> np.ndarray:
    """The numbers of bytes; `mantissa` 3: F8E4M3, 2: F8E5M2. float32."""
    return _table(mantissa)[np.asarray(codes, np.uint8)]


def to_codes(x: np.ndarray, mantissa: int) -> np.ndarray:
    """The bytes of numbers that the type can hold; NaN becomes 0x7f."""
    table = _table(mantissa)[:127]  # rising, but for the last ones that are no numbers
    finite = np.abs(np.nan_to_num(np.asarray(x, np.float32), nan=0.0, posinf=np.inf))
    found = np.searchsorted(table[: _last(mantissa) + 1], finite).astype(np.uint8)
    found = np.where(np.isnan(x), 0x7F, found).astype(np.uint8)
    return found | (np.signbit(x).astype(np.uint8) << 7)


def _last(mantissa: int) -> int:
    """Code of the largest number, infinity included."""
    return 0x7E if mantissa == 3 else 0x7C


def _table(mantissa: int) -> np.ndarray:
    codes = np.arange(256)
    bias = 7 if mantissa == 3 else 15
    exponent, rest = (codes & 0x7F) >> mantissa, codes & ((1 << mantissa) - 1)
    fraction = rest / (1 << mantissa) + (exponent > 0)
    magnitude = np.ldexp(fraction, np.maximum(exponent, 1) - bias)
    magnitude[(codes & 0x7F) > _last(mantissa)] = np.nan
    if mantissa == 2:
        magnitude[(codes & 0x7F) == 0x7C] = np.inf
    return np.where(codes > 127, -magnitude, magnitude).astype(np.float32)
