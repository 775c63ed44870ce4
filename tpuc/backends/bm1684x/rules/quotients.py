"""Quotients and roots in float32 that are rounded as a division in one step would.

The chip's own division and root end within some units of the result. One step of correction makes
them right: the rest r = a - q b is exact when the factors are split into halves of 12 bits (T. J.
Dekker, Numer. Math. 18, 1971), and q + r / b is rounded once.
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, Local
from tpuc.backends.bm1684x.emitter import Emitter

__all__ = ["byte_quotient", "quotient", "root"]

_Number = Local | float
_SPLIT = 4097.0  # 2^12 + 1


def _halves(e: Emitter, x: _Number) -> list[_Number]:
    """Two numbers of 12 bits whose sum is x; of a constant those that are not 0."""
    if not isinstance(x, Local):
        scaled = np.float32(x) * np.float32(_SPLIT)
        top = float(scaled - (scaled - np.float32(x)))
        return [part for part in (top, x - top) if part]
    high, low = e.take(x.shape, F32), e.take(x.shape, F32)
    tiu_float.combine(e, "mul", low, x, _SPLIT)
    tiu_float.combine(e, "sub", high, low, x)
    tiu_float.combine(e, "sub", high, low, high)
    tiu_float.combine(e, "sub", low, x, high)
    return [high, low]


def _rest(e: Emitter, r: Local, a: _Number, q: Local, b: _Number) -> None:
    """r = a - q b without rounding, where q b is near a."""
    product = e.take(r.shape, F32)
    left = _halves(e, q)
    for first in left:
        for second in left if b is q else _halves(e, b):
            sides = (first, second) if isinstance(first, Local) else (second, first)
            tiu_float.combine(e, "mul", product, *sides)
            tiu_float.combine(e, "sub", r, a, product)
            a = r


def quotient(e: Emitter, y: Local, a: _Number, b: _Number) -> None:
    """y = a / b, rounded to nearest; y is neither."""
    with e.scope():
        inverse: _Number
        if isinstance(b, Local):
            inverse = e.take(b.shape, F32)
            tiu_float.combine(e, "div", inverse, 1.0, b)
        else:
            inverse = float(np.float32(1.0) / np.float32(b))
        rest = e.take(y.shape, F32)
        if isinstance(a, Local):
            tiu_float.combine(e, "mul", y, a, inverse)
        else:
            tiu_float.combine(e, "mul", y, inverse, a)
        _rest(e, rest, a, y, b)
        tiu_float.combine(e, "mul", rest, rest, inverse)
        tiu_float.combine(e, "add", y, y, rest)


def root(e: Emitter, y: Local, x: Local) -> None:
    """y = sqrt(x) of positive numbers, rounded to nearest; y is not x."""
    with e.scope():
        inverse, rest = e.take(x.shape, F32), e.take(x.shape, F32)
        tiu_float.reciprocal_root(e, inverse, x)
        tiu_float.combine(e, "mul", y, x, inverse)
        _rest(e, rest, x, y, y)
        tiu_float.combine(e, "mul", inverse, inverse, 0.5)
        tiu_float.combine(e, "mul", rest, rest, inverse)
        tiu_float.combine(e, "add", y, y, rest)


def byte_quotient(e: Emitter, y: Local, a: Local, b: Local) -> None:
    """y = saturate(half_away(float32(a / b))), uint8; one positive b for each row; a is lost.

    Only at h = n + 1/2 does the quotient's last bit decide: h + (a - h b) / b is right there, and
    h has so few bits that splitting b is enough.
    """
    with e.scope():
        inverse, near, product = e.take(b.shape, F32), e.take(a.shape, F32), e.take(a.shape, F32)
        tiu_float.combine(e, "div", inverse, 1.0, b)
        tiu_float.combine(e, "mul", near, a, inverse)
        tiu_float.convert(e, y, near, tiu_float.DOWN)
        tiu_float.convert(e, near, y)
        tiu_float.combine(e, "add", near, near, 0.5)
        for half in _halves(e, b):
            tiu_float.combine(e, "mul", product, near, half)
            tiu_float.combine(e, "sub", a, a, product)
        tiu_float.combine(e, "mul", a, a, inverse)
        tiu_float.combine(e, "add", near, near, a)
        tiu_float.convert(e, y, near, tiu_float.AWAY)
