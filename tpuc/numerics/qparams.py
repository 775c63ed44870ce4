"""Quantization parameters of tensors: the definition."""

from __future__ import annotations

import numpy as np

from tpuc.ir.types import DType, QuantType
from tpuc.numerics.rounding import round_away

__all__ = ["choose_qparams", "dequantize", "quantize"]


def choose_qparams(low: float, high: float, asymmetric: bool = False) -> tuple[DType, QuantType]:
    """8-bit type of a range: signed if low < 0, else unsigned.

    symmetric:  scale = max(|low|, |high|) / 127, or / 255 if unsigned
    asymmetric: scale = (high - low) / 255, zero_point = round(qmin - low / scale); a zero outside
                the type is its end, and the scale reaches from there to the other end
    """
    if asymmetric:
        return _affine(low, high)
    threshold = max(abs(low), abs(high))
    if low < 0:
        return DType.SI8, QuantType(threshold / 127.0)
    return DType.UI8, QuantType(threshold / 255.0)


def _affine(low: float, high: float) -> tuple[DType, QuantType]:
    dtype = DType.SI8 if low < 0 else DType.UI8
    least, most = dtype.qrange
    scale = (high - low) / (most - least)
    place = least - low / scale
    if place < least:
        return dtype, QuantType(high / (most - least), least)
    if place > most:
        return dtype, QuantType(low / (least - most), most)
    return dtype, QuantType(scale, int(round_away(place)))


def quantize(x: np.ndarray, dtype: DType, quant: QuantType) -> np.ndarray:
    """q = saturate(round(x * float32(1 / scale)) + zero_point), halves away from zero."""
    low, high = dtype.qrange
    inverse = np.float32(1.0 / quant.scale)
    scaled = (np.asarray(x, np.float32) * inverse).astype(np.float32)
    q = np.nan_to_num(round_away(scaled).astype(np.float64)) + quant.zero_point
    return np.clip(q, low, high).astype(dtype.numpy)


def dequantize(q: np.ndarray, quant: QuantType) -> np.ndarray:
    """x = float32(scale) * (q - zero_point), in float32."""
    if quant.zero_point == 0:
        return np.multiply(q, np.float32(quant.scale), dtype=np.float32)
    shifted = (np.asarray(q, np.int64) - quant.zero_point).astype(np.float32)
    return shifted * np.float32(quant.scale)
