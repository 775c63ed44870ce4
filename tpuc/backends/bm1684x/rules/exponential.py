"""Exponentials, what follows from them, and roots, in float32.

exp(x):  n = nearest(x / ln 2),  r = x - n ln 2 in two parts,  2^n sum of r^k / k!, k < 8
erfc(z): t exp(-z z + P(t)),  t = 1 / (1 + z / 2),  z >= 0  (W. Press et al., Numerical Recipes,
         6.2: Chebyshev fit, relative error below 1.2e-7)
1 / x:   Newton's iteration of the chip, within 3 units
"""

from __future__ import annotations

import math

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, S32, Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote

__all__ = ["erfc", "exponential", "load_numbers", "logistic", "square_root"]

_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_LOW, _HIGH = -87.33, 88.37  # 2^n stays a normal number
_TERMS = [1.0 / math.factorial(k) for k in range(8)]
_ERFC = [
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
]


def load_numbers(e: Emitter, numbers: list[float]) -> int:
    """Put float32 constants into every lane; their address."""
    place = e.take((1, LANES, 1, len(numbers)), F32)
    e.load(Remote(e.constant(np.array(numbers, "<f4")), (0, 0, len(numbers), 1)), place)
    return place.address


def exponential(e: Emitter, y: Local, x: Local) -> None:
    """y = exp(x), within one unit while that is a normal number, not below 1.2e-38; y is not x."""
    with e.scope():
        n, u = e.take(x.shape, F32), e.take(x.shape, F32)
        terms = load_numbers(e, _TERMS)
        whole = tiu_float.as_element(n, S32)
        tiu_float.combine(e, "max", y, x, _LOW)
        tiu_float.combine(e, "min", y, y, _HIGH)
        tiu_float.combine(e, "mul", n, y, math.log2(math.e))
        tiu_float.convert(e, whole, n)
        tiu_float.convert(e, n, whole)
        for part in (_LN2_HIGH, _LN2_LOW):
            tiu_float.combine(e, "mul", u, n, part)
            tiu_float.combine(e, "sub", y, y, u)
        tiu_float.polynomial(e, u, y, terms, len(_TERMS))
        tiu_float.combine(e, "add", n, n, 127.0)
        tiu_float.combine(e, "mul", n, n, float(1 << 23))
        tiu_float.convert(e, whole, n)  # the bits of 2^n
        tiu_float.combine(e, "mul", y, u, n)


def logistic(e: Emitter, y: Local, x: Local, numerator: Local | float = 1.0) -> None:
    """y = numerator / (1 + exp(-x)); y is not x."""
    with e.scope():
        minus = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", minus, x, -1.0)
        exponential(e, y, minus)
    tiu_float.combine(e, "add", y, y, 1.0)
    tiu_float.combine(e, "div", y, numerator, y)


def square_root(e: Emitter, y: Local, x: Local) -> None:
    """y = sqrt(x) for x >= 0; y is not x."""
    tiu_float.reciprocal_root(e, y, x)
    tiu_float.combine(e, "mul", y, y, x)
    tiu_float.choose(e, y, (x, "=", 0.0), 0.0, y)


def erfc(e: Emitter, y: Local, z: Local) -> None:
    """y = erfc(z) for z >= 0; y is not z."""
    with e.scope():
        t, u = e.take(z.shape, F32), e.take(z.shape, F32)
        terms = load_numbers(e, _ERFC)
        tiu_float.combine(e, "mul", t, z, 0.5)
        tiu_float.combine(e, "add", t, t, 1.0)
        tiu_float.combine(e, "div", t, 1.0, t)
        tiu_float.polynomial(e, u, t, terms, len(_ERFC))
        tiu_float.combine(e, "mul", y, z, z)
        tiu_float.combine(e, "sub", u, u, y)
        exponential(e, y, u)
        tiu_float.combine(e, "mul", y, y, t)
