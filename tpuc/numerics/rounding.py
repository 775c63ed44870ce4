"""Rounding to integers and to short floats.

half away from zero:  sign(x) * floor(|x| + 0.5)
half up:              floor(x + 0.5)
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "cut_bf16",
    "round_away",
    "round_bf16",
    "round_f16",
    "saturate",
    "shift_half_away",
    "shift_half_up",
]


def round_away(x: np.ndarray | float) -> np.ndarray:
    """Nearest integer, halves away from zero, as C's `round`; float in, float out."""
    a = np.asarray(x)
    magnitude = np.abs(a)
    whole = np.floor(magnitude)
    # not floor(|x| + 0.5): that sum rounds up the largest double below one half
    magnitude -= whole
    whole += magnitude >= 0.5
    return np.copysign(whole, a)


def round_f16(x: np.ndarray) -> np.ndarray:
    """Round float32 to IEEE half, nearest even, and back; overflow becomes infinity."""
    with np.errstate(over="ignore"):
        return np.asarray(x, np.float32).astype(np.float16).astype(np.float32)


def cut_bf16(x: np.ndarray) -> np.ndarray:
    """The upper 16 bits of float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).reshape(np.shape(x))


def round_bf16(x: np.ndarray) -> np.ndarray:
    """Round float32 to bfloat16, nearest even, and back."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    kept = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) & np.uint32(
        0xFFFF0000
    )
    out = kept.view(np.float32)
    return np.where(np.isnan(x), np.float32(np.nan), out).reshape(np.shape(x))


def shift_half_up(v: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """(v + 2**(shift-1)) >> shift in int64, ties towards plus infinity; negative shifts left."""
    v = np.asarray(v, np.int64)
    s = np.asarray(shift, np.int64)
    right = np.maximum(s, 0)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), np.int64(0))
    return ((v + half) >> right) << np.maximum(-s, 0)


def shift_half_away(v: np.ndarray, shift: np.ndarray | int) -> np.ndarray:
    """Rounding right shift in int64, ties away from zero; a negative shift is left."""
    v = np.asarray(v, np.int64)
    return np.sign(v) * shift_half_up(np.abs(v), shift)


def saturate(v: np.ndarray, low: int, high: int) -> np.ndarray:
    """Clip to [low, high]."""
    return np.clip(v, low, high)
