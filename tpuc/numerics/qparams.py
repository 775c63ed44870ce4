"""Quantization parameters of tensors: the definition."""

from __future__ import annotations

import numpy as np

from tpuc.ir.types import DType, QuantType
from tpuc.numerics.rounding import round_away

__all__ = ["choose_qparams", "dequantize", "quantize"]


def choose_qparams(low: float, high: float) -> tuple[DType, QuantType]:
    """Symmetric 8-bit type of a range.

    scale = max(|low|, |high|) / 127, signed, if low < 0; else / 255, unsigned.
    """
    threshold = max(abs(low), abs(high))
    if low < 0:
        return DType.SI8, QuantType(threshold / 127.0)
    return DType.UI8, QuantType(threshold / 255.0)


def quantize(x: np.ndarray, dtype: DType, quant: QuantType) -> np.ndarray:
    """q = saturate(round(x * float32(1 / scale)) + zero_point), halves away from zero."""
    low, high = dtype.qrange
    inverse = np.float32(1.0 / quant.scale)
    scaled = (np.asarray(x, np.float32) * inverse).astype(np.float32)
    q = round_away(scaled).astype(np.float64) + quant.zero_point
    return np.clip(np.nan_to_num(q), low, high).astype(dtype.numpy)


def dequantize(q: np.ndarray, quant: QuantType) -> np.ndarray:
    """x = float32(scale) * (q - zero_point), in float32."""
    if quant.zero_point == 0:
        return np.multiply(q, np.float32(quant.scale), dtype=np.float32)
    shifted = (np.asarray(q, np.int64) - quant.zero_point).astype(np.float32)
    return shifted * np.float32(quant.scale)
