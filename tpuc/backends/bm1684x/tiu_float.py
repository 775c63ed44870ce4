"""TIU commands on floats: which field holds what.

Every function appends one command; formulas are of its result. Arithmetic rounds once, to the type
of its operands, which is that of the result; numbers below the normal float32 become 0.
"""

from __future__ import annotations

from tpuc.backends.bm1684x.command import F32, LANES, Element, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter
from tpuc.backends.bm1684x.floats import bits_of
from tpuc.backends.bm1684x.tiling import Window
from tpuc.backends.bm1684x.tiu import strides_of, window_fields

__all__ = [
    "AWAY",
    "DOWN",
    "NEAREST",
    "absolute",
    "as_element",
    "choose",
    "combine",
    "convert",
    "convolve_float",
    "depthwise_float",
    "largest",
    "limit",
    "move_columns",
    "multiply_rows",
    "polynomial",
    "reciprocal_root",
    "spread",
    "total",
]

Operand = Local | float
_SUBS = {"mul": 0, "add": 2, "sub": 3, "max": 4, "min": 5, "div": 12}
_CHOICES = {">": 23, "=": 24, "<": 26}
_CAST, _COPY, _ABS = 14, 19, 26
_STRIDED = 3
_MOST_STEPS = 3  # of Newton's iteration, + 1
NEAREST, AWAY, DOWN = 0, 1, 3


def _result(r: Local) -> dict[str, int]:
    shape = dict(zip(("r_n", "r_c", "r_h", "r_w"), r.shape))
    return {"r_addr": r.address, "r_type": r.element.code, **shape}


def as_element(place: Local, element: Element) -> Local:
    """The same bytes read as another type of the same size."""
    assert place.element.size == element.size
    return Local(place.address, place.shape, element)


def _side(name: str, operand: Operand, r: Local) -> dict[str, int]:
    """An operand: a number, or a tensor whose axes of length 1 are repeated as the result needs.

    One of 64 channels is repeated for all rows of channels.
    """
    if not isinstance(operand, Local):
        bits = bits_of(operand, r.element)
        return {
            f"{name}_addr": bits,
            f"{name}_const": 1,
            f"{name}_type": r.element.code,
            f"{name}_signed": 1,
        }
    found = {
        f"{name}_addr": operand.address,
        f"{name}_type": operand.element.code,
        f"{name}_signed": 1,
    }
    if operand.shape != r.shape:
        for axis, step in zip("nchw", _repeated(operand, r.shape)):
            found[f"{name}_{axis}str"] = step
        found[f"{name}_layout"] = _STRIDED
    return found


def _repeated(operand: Local, shape: Shape) -> tuple[int, ...]:
    every = operand.shape[1] == LANES  # the same in each lane, for all rows of channels
    assert every or operand.shape[1] == shape[1], "lanes can not be repeated"
    return tuple(
        step if count == whole > 1 else 0
        for step, count, whole in zip(operand.strides, operand.shape, shape)
    )


def combine(e: Emitter, name: str, r: Local, a: Operand, b: Operand) -> None:
    """a name b: add, sub, mul, max, min, and div (float32, within 3 units)."""
    rounding = _MOST_STEPS if name == "div" else 0
    sides = {**_side("a", a, r), **_side("b", b, r)}
    e.emit("arith", sub=_SUBS[name], **_result(r), **sides, operands=2, rounding=rounding)


def limit(e: Emitter, r: Local, low: float, high: float | None) -> None:
    """min(max(r, low), high) in place: two commands, or one."""
    combine(e, "max", r, r, low)
    if high is not None:
        combine(e, "min", r, r, high)


def convert(e: Emitter, r: Local, a: Local, rounding: int = NEAREST) -> None:
    """a in another type: integers saturate; not between the two short floats."""
    fields = {"a_addr": a.address, "a_type": a.element.code, "a_signed": int(a.element.signed)}
    fields |= {"c_signed": int(r.element.signed), "operands": 1, "rounding": rounding}
    e.emit("arith", sub=_CAST, **_result(r), **fields)


def spread(e: Emitter, r: Local, a: Local) -> None:
    """a, its axes of length 1 repeated; not the channels."""
    e.emit("arith", sub=_COPY, **_result(r), **_side("a", a, r), operands=1)


def move_columns(
    e: Emitter, to: tuple[Local, int, int], source: tuple[Local, int, int], count: int
) -> None:
    """Some columns of a tensor to columns of another; of both the first one, and steps."""
    (r, r_first, r_step), (a, a_first, a_step) = to, source
    size = r.element.size
    fields = {**strides_of("r", r, r.shape), **strides_of("a", a, r.shape)}
    fields |= {"r_layout": _STRIDED, "r_wstr": r_step, "a_layout": _STRIDED, "a_wstr": a_step}
    part = Local(r.address + r_first * size, (*r.shape[:3], count), r.element)
    fields |= {"a_addr": a.address + a_first * size, "a_type": a.element.code, "a_signed": 1}
    e.emit("arith", sub=_COPY, **_result(part), **fields, operands=1)


def absolute(e: Emitter, r: Local, a: Local) -> None:
    """|a|."""
    e.emit("arith", sub=_ABS, **_result(r), **_side("a", a, r), operands=1)


def choose(e: Emitter, r: Local, test: tuple[Local, str, float], yes: Operand, no: Operand) -> None:
    """`yes` where the test holds, else `no`; the test is of a tensor and a number, > = or <."""
    a, relation, number = test
    fields = {"a_addr": a.address, "a_type": a.element.code, "a_signed": 1}
    fields |= {"b_const": 1, "b_addr": bits_of(number, a.element), "c_type": r.element.code}
    for name, side in (("c", yes), ("d", no)):
        if isinstance(side, Local):
            fields[f"{name}_addr"] = side.address
        else:
            fields |= {f"{name}_addr": bits_of(side, r.element), f"{name}_const": 1}
    shape = dict(zip(("r_n", "r_c", "r_h", "r_w"), r.shape))
    e.emit("choose", sub=_CHOICES[relation], r_addr=r.address, **shape, **fields)


def _function(e: Emitter, sub: int, r: Local, a: Local, **more: int) -> None:
    e.emit("function", sub=sub, **_result(r), a_addr=a.address, a_type=a.element.code, **more)


def polynomial(e: Emitter, r: Local, a: Local, coefficients: int, count: int) -> None:
    """c[0] + a (c[1] + a (c[2] + ...)) in float32; `count` numbers at one address of each lane."""
    assert r.element == F32 == a.element
    _function(e, 12, r, a, b_n=count, b_addr=coefficients)


def reciprocal_root(e: Emitter, r: Local, a: Local) -> None:
    """1 / sqrt(a) in float32, within one unit."""
    assert r.element == F32 == a.element
    _function(e, 17, r, a, rounding=_MOST_STEPS)


def convolve_float(
    e: Emitter, r: Local, a: Local, at: tuple[int, int | None], window: Window
) -> None:
    """Sum of a * filter + bias, rounded once; `at`: addresses of filters and float32 biases."""
    bias = {"c_const": 1} if at[1] is None else {"c_addr": at[1], "c_signed": 1}
    fields = {**_result(r), **window_fields(window, a), "a_c": a.shape[1], "b_addr": at[0]}
    e.emit("conv", **fields, b_signed=1, **bias)


def depthwise_float(
    e: Emitter, r: Local, a: Local, at: tuple[int, int | None], window: Window
) -> None:
    """The same for each channel by itself, float32."""
    assert r.element == F32 == a.element
    bias = {"c_const": 1} if at[1] is None else {"c_addr": at[1], "c_signed": 1}
    fields = {**_result(r), **window_fields(window, a), "b_addr": at[0]}
    e.emit("window", sub=0, **fields, b_signed=1, **bias)


def total(e: Emitter, r: Local, a: Local, window: Window, factor: float) -> None:
    """factor * sum of each window, float32, padding counted as 0."""
    assert r.element == F32 == a.element
    fields = {**_result(r), **window_fields(window, a), "b_addr": bits_of(factor, F32)}
    e.emit("window", sub=1, **fields, b_const=1)


def largest(e: Emitter, r: Local, a: Local, window: Window) -> None:
    """Largest number of each window."""
    low = bits_of(float("-inf"), a.element)
    e.emit("window", sub=4, **_result(r), **window_fields(window, a), d_addr=low)


def multiply_rows(e: Emitter, r: Local, a: Local, b: Local, turned: bool = False) -> None:
    """r = a b, or a times b turned; each row of a matrix is a channel.

    (1, M, 1, N) of (1, M, 1, K) and (1, K, 1, N) or (1, N, 1, K). Sums of short floats are exact
    and rounded once, or float32; those of 8-bit integers are int32.
    """
    fields = {"r_addr": r.address, "r_type": r.element.code, "r_c": r.shape[1], "r_w": r.shape[3]}
    fields |= {"a_addr": a.address, "a_type": a.element.code, "a_signed": int(a.element.signed)}
    fields |= {"b_addr": b.address, "b_c": b.shape[1], "b_w": b.shape[3]}
    sub = 5 if turned else 4
    e.emit("matrix_rows", sub=sub, **fields, b_signed=int(b.element.signed), c_const=1)
