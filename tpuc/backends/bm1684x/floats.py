"""Bits of float numbers: constants in commands and in memory."""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x.command import BF16, F16, F32, Element
from tpuc.ir import DType
from tpuc.numerics.rounding import round_bf16

__all__ = ["bits_of", "from_stored", "stored"]


def stored(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Numbers as they lie in memory; those of a short float are rounded to nearest even."""
    if dtype == DType.F16:
        with np.errstate(over="ignore"):
            return array.astype("<f2")
    if dtype == DType.BF16:
        return (round_bf16(array).view(np.uint32) >> np.uint32(16)).astype("<u2")
    return array.astype(dtype.numpy.newbyteorder("<"))


def from_stored(raw: np.ndarray, code: int) -> np.ndarray:
    """float32 numbers of raw uint16 or uint32, by the code of their type."""
    if code == F16.code:
        return raw.view(np.float16).astype(np.float32)
    if code == BF16.code:
        return (raw.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return raw.view(np.float32)


def bits_of(number: float, element: Element) -> int:
    """A constant of a float type, as a command holds it."""
    kind = {F32.code: DType.F32, F16.code: DType.F16, BF16.code: DType.BF16}[element.code]
    raw = stored(np.array([number], np.float32), kind)
    return int(raw.view(f"<u{element.size}")[0])
