"""Functions of one number, in float32 and rounded once to the type of the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, S32, Local
from tpuc.backends.bm1684x.emitter import Emitter
from tpuc.backends.bm1684x.rules.exponential import (
    erfc,
    exponential,
    load_numbers,
    logistic,
    square_root,
)
from tpuc.backends.bm1684x.rules.float_elementwise import narrow, widen
from tpuc.backends.bm1684x.rules.frames import framed
from tpuc.backends.bm1684x.rules.rule import why_not_floats
from tpuc.backends.bm1684x.rules.transcendental import cosine, logarithm, sine, soft_plus
from tpuc.ir import DType, Node

__all__ = ["RULES"]

_Function = Callable[[Emitter, Local, Local, Sequence[float]], None]
_NEAR_ZERO = 0.5
_TANH = [
    1.0,
    -1 / 3,
    2 / 15,
    -17 / 315,
    62 / 2835,
    -1382 / 155925,
    21844 / 6081075,
    -929569 / 638512875,
]
_LESS_ONE = [1.0 / math.factorial(k + 1) for k in range(10)]  # (exp(x) - 1) / x
_MOST_POWER = 16
_WHOLE = float(1 << 23)  # from here on every float32 is an integer


def _sigmoid(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    scale, bias = coeffs
    if (scale, bias) == (1.0, 0.0):
        logistic(e, y, x)
        return
    with e.scope():
        moved = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", moved, x, scale)
        tiu_float.combine(e, "add", moved, moved, bias)
        logistic(e, y, moved)


def _silu(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    logistic(e, y, x, x)


def _quick_gelu(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    with e.scope():
        scaled = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", scaled, x, 1.702)
        logistic(e, y, scaled, x)


def _tanh_gelu(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    """x / (1 + exp(-2 u)), u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    with e.scope():
        u = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", u, x, x)
        tiu_float.combine(e, "mul", u, u, 0.044715)
        tiu_float.combine(e, "add", u, u, 1.0)
        tiu_float.combine(e, "mul", u, u, x)
        tiu_float.combine(e, "mul", u, u, 2 * math.sqrt(2 / math.pi))
        logistic(e, y, u, x)


def _gelu(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    """x erfc(-x / sqrt(2)) / 2, the tail without a difference of nearly equal numbers."""
    with e.scope():
        z, other = e.take(x.shape, F32), e.take(x.shape, F32)
        tiu_float.absolute(e, z, x)
        tiu_float.combine(e, "mul", z, z, math.sqrt(0.5))
        erfc(e, y, z)
        tiu_float.combine(e, "sub", other, 2.0, y)
        tiu_float.choose(e, y, (x, ">", 0.0), other, y)
        tiu_float.combine(e, "mul", y, y, 0.5)
        tiu_float.combine(e, "mul", y, y, x)


def _erf(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    with e.scope():
        z, minus = e.take(x.shape, F32), e.take(x.shape, F32)
        tiu_float.absolute(e, z, x)
        erfc(e, y, z)
        tiu_float.combine(e, "sub", y, 1.0, y)
        tiu_float.combine(e, "mul", minus, y, -1.0)
        tiu_float.choose(e, y, (x, "<", 0.0), minus, y)
        _by_series(e, y, x, [c * 2 / math.sqrt(math.pi) for c in _ERF_TERMS])


_ERF_TERMS = [(-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(8)]


def _by_series(e: Emitter, y: Local, x: Local, terms: list[float]) -> None:
    """Where |x| < 1/2: y = x sum of terms[k] x^2k."""
    with e.scope():
        square, near = e.take(x.shape, F32), e.take(x.shape, F32)
        address = load_numbers(e, terms)
        tiu_float.combine(e, "mul", square, x, x)
        tiu_float.polynomial(e, near, square, address, len(terms))
        tiu_float.combine(e, "mul", near, near, x)
        tiu_float.choose(e, y, (square, "<", _NEAR_ZERO**2), near, y)


def _tanh(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    """1 - 2 / (exp(2 x) + 1)."""
    with e.scope():
        twice = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", twice, x, 2.0)
        exponential(e, y, twice)
        tiu_float.combine(e, "add", y, y, 1.0)
        tiu_float.combine(e, "div", y, 2.0, y)
        tiu_float.combine(e, "sub", y, 1.0, y)
        _by_series(e, y, x, _TANH)


def _elu(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    with e.scope():
        near = e.take(x.shape, F32)
        address = load_numbers(e, _LESS_ONE)
        exponential(e, y, x)
        tiu_float.combine(e, "sub", y, y, 1.0)
        tiu_float.polynomial(e, near, x, address, len(_LESS_ONE))
        tiu_float.combine(e, "mul", near, near, x)
        tiu_float.choose(e, y, (x, ">", -_NEAR_ZERO), near, y)
        tiu_float.combine(e, "mul", y, y, coeffs[0])
        tiu_float.choose(e, y, (x, ">", 0.0), x, y)


def _mish(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    """x n / (n + 2), n = exp(x) (exp(x) + 2); x where exp(x)^2 would be too large."""
    with e.scope():
        power, n = e.take(x.shape, F32), e.take(x.shape, F32)
        tiu_float.combine(e, "min", n, x, 20.0)
        exponential(e, power, n)
        tiu_float.combine(e, "add", n, power, 2.0)
        tiu_float.combine(e, "mul", n, n, power)
        tiu_float.combine(e, "add", power, n, 2.0)
        tiu_float.combine(e, "mul", n, n, x)
        tiu_float.combine(e, "div", y, n, power)


def _hard_sigmoid(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    beta, alpha = coeffs
    tiu_float.combine(e, "mul", y, x, alpha)
    tiu_float.combine(e, "add", y, y, beta)
    tiu_float.limit(e, y, 0.0, 1.0)


def _hard_swish(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    tiu_float.combine(e, "add", y, x, 3.0)
    tiu_float.limit(e, y, 0.0, 6.0)
    tiu_float.combine(e, "mul", y, y, x)
    tiu_float.combine(e, "mul", y, y, 1 / 6)


def _soft_sign(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    tiu_float.absolute(e, y, x)
    tiu_float.combine(e, "add", y, y, 1.0)
    tiu_float.combine(e, "div", y, x, y)


def _log_sigmoid(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    """-ln(1 + exp(-x)), x scaled and moved."""
    scale, bias = coeffs
    with e.scope():
        minus = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", minus, x, -scale)
        tiu_float.combine(e, "sub", minus, minus, bias)
        soft_plus(e, y, minus)
        tiu_float.combine(e, "mul", y, y, -1.0)


def _sign(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
    tiu_float.choose(e, y, (x, "<", 0.0), -1.0, 0.0)
    tiu_float.choose(e, y, (x, ">", 0.0), 1.0, y)


def _rounded(rounding: int) -> _Function:
    def function(e: Emitter, y: Local, x: Local, coeffs: Sequence[float]) -> None:
        with e.scope():
            size = e.take(x.shape, F32)
            tiu_float.convert(e, tiu_float.as_element(y, S32), x, rounding)
            tiu_float.convert(e, y, tiu_float.as_element(y, S32))
            tiu_float.absolute(e, size, x)
            tiu_float.choose(e, y, (size, "<", _WHOLE), y, x)

    return function


def _plain(function: Callable[[Emitter, Local, Local], None]) -> _Function:
    return lambda e, y, x, coeffs: function(e, y, x)


_FUNCTIONS: dict[str, _Function] = {
    "SIGMOID": _sigmoid,
    "SILU": _silu,
    "GELU": _gelu,
    "TGELU": _tanh_gelu,
    "QGELU": _quick_gelu,
    "HSIGMOID": _hard_sigmoid,
    "HSWISH": _hard_swish,
    "TANH": _tanh,
    "ELU": _elu,
    "MISH": _mish,
    "ERF": _erf,
    "EXP": _plain(exponential),
    "ABSVAL": _plain(tiu_float.absolute),
    "SQRT": _plain(square_root),
    "SOFT_SIGN": _soft_sign,
    "SIGN": _sign,
    "LN": _plain(logarithm),
    "LOG_SIGMOID": _log_sigmoid,
    "SOFT_PLUS": _plain(soft_plus),
    "SIN": _plain(sine),
    "COS": _plain(cosine),
    "ROUND": _rounded(0),
    "TRUNC": _rounded(2),
    "FLOOR": _rounded(3),
    "CEIL": _rounded(4),
}


def _covers(node: Node) -> str | None:
    mode = node.text("mode")
    return why_not_floats(node) or (None if mode in _FUNCTIONS else f"mode is {mode}")


def _compute(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    coeffs = node.attrs["coeffs"]
    assert isinstance(coeffs, tuple)
    x = widen(e, operands[0])
    y = e.take(x.shape, F32)
    _FUNCTIONS[node.text("mode")](e, y, x, [float(c) for c in coeffs])
    return narrow(e, node, y)


def _covers_power(node: Node) -> str | None:
    power = node.number("exponent")
    whole = power == int(power) and 1 <= abs(power) <= _MOST_POWER
    halves = 2 * power == int(2 * power) and abs(power) < _MOST_POWER
    known = whole or halves or node.output.dtype != DType.F32
    return why_not_floats(node) or (None if known else f"exponent is {power}")


def _power(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    """Products of squares and a root, reciprocals last; of short floats also exp(power ln(x))."""
    x, power = widen(e, operands[0]), node.number("exponent")
    y = e.take(x.shape, F32)
    if 2 * power != int(2 * power) or abs(power) > _MOST_POWER:
        _any_power(e, y, x, power)
        return narrow(e, node, y)
    factor: Local | float = 1.0
    if abs(power) % 1:
        square_root(e, y, x)
        factor = y
    _products(e, y, x, (int(abs(power)), factor))
    if power < 0:
        tiu_float.combine(e, "div", y, 1.0, y)
    return narrow(e, node, y)


def _products(e: Emitter, y: Local, x: Local, power: tuple[int, Local | float]) -> None:
    """y = x^n times a factor, which is a number or y; nothing for n = 0."""
    left, factor = power
    with e.scope():
        square = e.take(x.shape, F32)
        tiu_float.combine(e, "mul", square, x, 1.0)
        while left:
            if left % 2:
                tiu_float.combine(e, "mul", y, square, factor)
                factor = y
            left //= 2
            if left:
                tiu_float.combine(e, "mul", square, square, square)


def _any_power(e: Emitter, y: Local, x: Local, power: float) -> None:
    """y = exp(power ln(x)): within some 2^-18, so for short floats."""
    with e.scope():
        line = e.take(x.shape, F32)
        logarithm(e, line, x)
        tiu_float.combine(e, "mul", line, line, power)
        exponential(e, y, line)
        tiu_float.choose(e, y, (x, "=", 0.0), 0.0 if power > 0 else math.inf, y)
        tiu_float.choose(e, y, (x, "<", 0.0), math.nan, y)


RULES = {"Active": framed(_covers, _compute), "Pow": framed(_covers_power, _power)}
