"""Numbers as a reader wants them."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

__all__ = [
    "breakable",
    "clipped",
    "cosine",
    "count",
    "decibel",
    "fact",
    "percent",
    "real",
    "seconds",
    "size",
]

_NONE = "–"


def cosine(x: float | None) -> str:
    """Five decimals, cut and not rounded, so that only equal tensors show 1.00000."""
    if x is None or not math.isfinite(x):
        return _NONE
    return f"{math.floor(x * 1e5) / 1e5:.5f}"


def decibel(x: float | None) -> str:
    """One decimal; infinite where both networks agree exactly."""
    if x is None or math.isnan(x):
        return _NONE
    return "exact" if x == math.inf else f"{x:.1f} dB"


def percent(x: float | None, digits: int = 1) -> str:
    """A share as percent."""
    return _NONE if x is None else f"{x * 100:.{digits}f} %"


def clipped(share: float) -> str:
    """A share of values, however few."""
    return f"{share * 100:.2f} %" if share >= 5e-5 else "less than 0.01 %"


def real(x: float | None) -> str:
    """Four significant digits."""
    return _NONE if x is None else f"{x:.4g}"


def seconds(x: float | None) -> str:
    """Microseconds, milliseconds, seconds or minutes."""
    if x is None:
        return _NONE
    if 0 < x < 0.01:
        return f"{x * 1e6:.3g} µs" if x < 1e-3 else f"{x * 1e3:.2g} ms"
    if x < 1:
        return f"{x * 1000:.0f} ms"
    return f"{x:.1f} s" if x < 120 else f"{int(x) // 60} min {int(x) % 60} s"


def count(x: int | None) -> str:
    """A number of operations: 1.2 G."""
    return _scaled(x, 1000, ("", "k", "M", "G", "T"))


def size(x: int | None) -> str:
    """A number of bytes: 4.7 MiB."""
    return _scaled(x, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def _scaled(x: int | None, step: int, units: tuple[str, ...]) -> str:
    if x is None:
        return _NONE
    power, rest = 0, float(x)
    while rest >= step and power < len(units) - 1:
        rest, power = rest / step, power + 1
    digits = 0 if power == 0 or rest >= 100 else 1 if rest >= 10 else 2
    return f"{rest:.{digits}f} {units[power]}".strip()


def fact(x: object) -> str:
    """Any plain value in a table of facts."""
    if x is None or x == "" or x == ():
        return _NONE
    if isinstance(x, bool):
        return "yes" if x else "no"
    if isinstance(x, int):
        return f"{x:,}" if abs(x) >= 10000 else str(x)
    if isinstance(x, float):
        return f"{x:.6g}"
    if isinstance(x, tuple | list):
        return ", ".join(fact(item) for item in x)
    return str(x)


def breakable(name: str) -> Markup:
    """An op's name that may break after a slash."""
    return Markup(str(escape(name)).replace("/", "/<wbr>"))
