"""Doubles as LLVM writes them.

MLIR writes 6 significant digits with an exponent (`1.500000e-01`) if they say the number exactly,
else 17 digits (`0.14999999999999999`, `9.5367431640625001E-7`), else, if those have no point, the
64 bits in hexadecimal. The 17 digits are LLVM's, which cuts the exact decimal expansion down to
about 57 bits before it rounds; so the last digit may be one less than the nearest.
"""

from __future__ import annotations

import math
import struct

__all__ = ["format_double"]

_SHORT = 6
_LONG = 17
_MAX_ZEROS = 3
"""Zeros that may stand between the point and the digits before an exponent is used."""


def format_double(x: float) -> str:
    """Write a double as MLIR does; reading it back gives the same bits."""
    bits = "0x" + struct.pack(">d", x).hex().upper()
    if not math.isfinite(x):
        return bits
    sign = "-" if math.copysign(1.0, x) < 0 else ""
    if x == 0.0:
        return f"{sign}0.000000e+00"
    short = sign + _short(*_decimal(abs(x), _SHORT))
    if float(short) == x:
        return short
    text = sign + _long(*_decimal(abs(x), _LONG))
    return text if "." in text else bits


def _decimal(x: float, precision: int) -> tuple[str, int]:
    """(digits without trailing zeros, exponent of the last one), at most `precision` digits."""
    numerator, denominator = x.as_integer_ratio()
    twos = denominator.bit_length() - 1
    value, exponent = numerator * 5**twos, -twos  # x = value * 10 ** exponent, exactly
    spare = value.bit_length() - (precision * 196 + 58) // 59  # 196/59 is just above log2(10)
    if spare > 0:
        tens = spare * 59 // 196
        value, exponent = value // 10**tens, exponent + tens
    digits = str(value)
    extra = len(digits) - precision
    if extra > 0:
        digits = str(int(digits[:precision]) + (digits[precision] >= "5"))
        exponent += extra
    kept = digits.rstrip("0")
    return kept, exponent + len(digits) - len(kept)


def _short(digits: str, exponent: int) -> str:
    power = exponent + len(digits) - 1
    return f"{digits[0]}.{digits[1:]:0<{_SHORT}}e{power:+03d}"


def _long(digits: str, exponent: int) -> str:
    power = exponent + len(digits) - 1  # of the first digit
    if exponent >= 0 and (exponent > _MAX_ZEROS or len(digits) + exponent > _LONG):
        return f"{digits[0]}.{digits[1:] or '0'}E{power:+d}"
    if power < -_MAX_ZEROS:
        return f"{digits[0]}.{digits[1:] or '0'}E{power:+d}"
    if exponent >= 0:
        return digits + "0" * exponent
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    return f"{digits[: power + 1]}.{digits[power + 1 :]}"
