"""Logarithms and sines, in float32.

ln(x):        y = ln of what the bits of x say, within 0.06;  y + ln(1 + r),  r = x exp(-y) - 1
ln(1 + u):    2 t sum of t^2k / (2 k + 1),  t = u / (u + 2),  0 <= u <= 1
sin(x):       n = nearest(2 x / pi),  r = x - n pi / 2 in three parts (S. Moshier, Cephes, sinf);
              sin(r) or cos(r) by n mod 4, for |x| < 8192
"""

from __future__ import annotations

import math

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, S32, Local
from tpuc.backends.bm1684x.emitter import Emitter
from tpuc.backends.bm1684x.rules.exponential import exponential, load_numbers

__all__ = ["cosine", "logarithm", "sine", "soft_plus"]

_LARGEST = 3.4028234663852886e38
_LN2_STEP = math.log(2) / (1 << 23)
_BITS_OF_ONE = float(127 << 23)
_LESS_THAN_LINE = 0.04  # the most by which ln lies above a line between powers of two, halved
_LN_TERMS = [(-1) ** k / (k + 1) for k in range(9)]
_AREA_TERMS = [2.0 / (2 * k + 1) for k in range(11)]
_SIN_TERMS = [(-1) ** k / math.factorial(2 * k + 1) for k in range(6)]
_COS_TERMS = [(-1) ** k / math.factorial(2 * k) for k in range(7)]
_HALF_PI = (1.5703125, 4.837512969970703125e-4, 7.549789948768648e-8)


def logarithm(e: Emitter, y: Local, x: Local) -> None:
    """y = ln(x), -inf at 0, no number below; y is not x."""
    with e.scope():
        first, minus, rest = (e.take(x.shape, F32) for _ in range(3))
        terms = load_numbers(e, _LN_TERMS)
        tiu_float.combine(e, "min", rest, x, _LARGEST)
        tiu_float.convert(e, first, tiu_float.as_element(rest, S32))
        tiu_float.combine(e, "sub", first, first, _BITS_OF_ONE)
        tiu_float.combine(e, "mul", first, first, _LN2_STEP)
        tiu_float.combine(e, "add", first, first, _LESS_THAN_LINE)
        tiu_float.combine(e, "min", first, first, 87.0)
        tiu_float.combine(e, "mul", minus, first, -1.0)
        exponential(e, y, minus)
        tiu_float.combine(e, "mul", rest, rest, y)
        tiu_float.combine(e, "sub", rest, rest, 1.0)
        tiu_float.polynomial(e, minus, rest, terms, len(_LN_TERMS))
        tiu_float.combine(e, "mul", minus, minus, rest)
        tiu_float.combine(e, "add", y, first, minus)
        tiu_float.choose(e, y, (x, "=", 0.0), -math.inf, y)
        tiu_float.choose(e, y, (x, "<", 0.0), math.nan, y)


def soft_plus(e: Emitter, y: Local, x: Local) -> None:
    """y = ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|)); y is not x."""
    with e.scope():
        u, t = e.take(x.shape, F32), e.take(x.shape, F32)
        terms = load_numbers(e, _AREA_TERMS)
        tiu_float.absolute(e, t, x)
        tiu_float.combine(e, "mul", t, t, -1.0)
        exponential(e, u, t)
        tiu_float.combine(e, "add", t, u, 2.0)
        tiu_float.combine(e, "div", t, u, t)
        tiu_float.combine(e, "mul", u, t, t)
        tiu_float.polynomial(e, y, u, terms, len(_AREA_TERMS))
        tiu_float.combine(e, "mul", t, t, y)
        tiu_float.combine(e, "max", y, x, 0.0)
        tiu_float.combine(e, "add", y, y, t)


def sine(e: Emitter, y: Local, x: Local) -> None:
    """y = sin(x); y is not x."""
    _turn(e, y, x, 0.0)


def cosine(e: Emitter, y: Local, x: Local) -> None:
    """y = cos(x) = sin(x + pi / 2); y is not x."""
    _turn(e, y, x, 1.0)


def _turn(e: Emitter, y: Local, x: Local, quarters: float) -> None:
    with e.scope():
        n, rest, square, other = (e.take(x.shape, F32) for _ in range(4))
        odd, even = load_numbers(e, _SIN_TERMS), load_numbers(e, _COS_TERMS)
        tiu_float.combine(e, "mul", n, x, 2 / math.pi)
        _whole(e, n, n, tiu_float.NEAREST)
        tiu_float.combine(e, "mul", rest, x, 1.0)
        for part in _HALF_PI:
            tiu_float.combine(e, "mul", square, n, part)
            tiu_float.combine(e, "sub", rest, rest, square)
        tiu_float.combine(e, "mul", square, rest, rest)
        tiu_float.polynomial(e, y, square, odd, len(_SIN_TERMS))
        tiu_float.combine(e, "mul", y, y, rest)
        tiu_float.polynomial(e, other, square, even, len(_COS_TERMS))
        tiu_float.combine(e, "add", n, n, quarters)
        _remainder(e, n, square, 4.0)
        tiu_float.combine(e, "mul", rest, n, 1.0)
        _remainder(e, rest, square, 2.0)
        tiu_float.choose(e, y, (rest, "=", 1.0), other, y)
        tiu_float.combine(e, "mul", other, y, -1.0)
        tiu_float.choose(e, y, (n, ">", 1.5), other, y)


def _whole(e: Emitter, y: Local, x: Local, rounding: int) -> None:
    """An integer near x, |x| < 2^31, in float32."""
    tiu_float.convert(e, tiu_float.as_element(y, S32), x, rounding)
    tiu_float.convert(e, y, tiu_float.as_element(y, S32))


def _remainder(e: Emitter, x: Local, free: Local, by: float) -> None:
    """x mod a power of two, in place."""
    tiu_float.combine(e, "mul", free, x, 1.0 / by)
    _whole(e, free, free, tiu_float.DOWN)
    tiu_float.combine(e, "mul", free, free, by)
    tiu_float.combine(e, "sub", x, x, free)
