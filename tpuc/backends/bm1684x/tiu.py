"""TIU commands from operands: which field holds what.

Every function appends one command; formulas are of its result.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from tpuc.backends.bm1684x.command import F32, LANES, S8, S16, S32, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom
from tpuc.backends.bm1684x.tiling import Window

__all__ = [
    "HALF_AWAY",
    "HALF_UP",
    "add_bias",
    "add_constant",
    "add_row",
    "add_saturated",
    "average",
    "cast",
    "clear",
    "convolve",
    "copy_rows",
    "depthwise",
    "dequantize",
    "look_up",
    "lower_to_row",
    "lower_to_zero",
    "maximum",
    "multiply",
    "multiply_channels",
    "multiply_float",
    "multiply_shift",
    "pack_rows",
    "pick",
    "raise_to_zero",
    "requantize",
    "requantize_channels",
    "strides_of",
    "subtract_saturated",
    "window_fields",
]

HALF_AWAY, HALF_UP = 1, 5
_MUL, _MAX, _MIN, _CAST, _ADDS, _SUBS, _MULS, _COPY = 0, 4, 5, 14, 15, 16, 20, 19
_STRIDED = 3
_MOST_APART = 65535  # strides along channels and samples have 16 bits


def _result(r: Local) -> dict[str, int]:
    shape = dict(zip(("r_n", "r_c", "r_h", "r_w"), r.shape))
    return {"r_addr": r.address, "r_type": r.element.code, **shape}


def _bits(number: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", number))[0])


def window_fields(w: Window, a: Local) -> dict[str, int]:
    """What slides over `a`."""
    return {
        "a_addr": a.address,
        "a_type": a.element.code,
        "a_signed": int(a.element.signed),
        "a_h": a.shape[2],
        "a_w": a.shape[3],
        "kernel_h": w.kernel[0],
        "kernel_w": w.kernel[1],
        "stride_h": w.strides[0],
        "stride_w": w.strides[1],
        "dilation_h": w.dilations[0] - 1,
        "dilation_w": w.dilations[1] - 1,
        "spread_h": w.spread[0] - 1,
        "spread_w": w.spread[1] - 1,
        "pad_top": w.pads[0],
        "pad_left": w.pads[1],
        "pad_bottom": w.pads[2],
        "pad_right": w.pads[3],
        "d_const": 1,
    }


def convolve(e: Emitter, r: Local, a: Local, filters: tuple[int, bool], window: Window) -> None:
    """int32 sums of a * filter; `filters`: their address, and whether they are signed."""
    fields = {**_result(r), **window_fields(window, a), "a_c": a.shape[1]}
    e.emit("conv", **fields, b_addr=filters[0], b_signed=int(filters[1]), c_const=1)


def depthwise(e: Emitter, r: Local, a: Local, at: tuple[int, int], window: Window) -> None:
    """int32 sums of a * kernel + bias; `at`: addresses of kernels and biases."""
    fields = {**_result(r), **window_fields(window, a), "b_addr": at[0], "c_addr": at[1]}
    e.emit("window", sub=0, **fields, b_signed=1, c_signed=1)


def pick(e: Emitter, r: Local, a: Local, kernels: int, window: Window) -> None:
    """saturate(a * kernel) in the type of a; kernels without sign."""
    e.emit("window", sub=0, **_result(r), **window_fields(window, a), b_addr=kernels, c_const=1)


def average(e: Emitter, r: Local, a: Local, factor: tuple[int, int], window: Window) -> None:
    """saturate(half_up(sum * factor[0] >> factor[1])), padding counted as 0."""
    fields = {**_result(r), **window_fields(window, a), "b_addr": factor[0], "c_addr": factor[1]}
    e.emit("window", sub=1, **fields, b_const=1, rounding=HALF_UP)


def maximum(e: Emitter, r: Local, a: Local, window: Window) -> None:
    """Largest of each window."""
    low = 0x80 if a.element.signed else 0
    e.emit("window", sub=4, **_result(r), **window_fields(window, a), d_addr=low)


def _arith(e: Emitter, sub: int, r: Local, a: Local, **more: int) -> None:
    first = {
        "a_addr": a.address,
        "a_type": a.element.code,
        "a_signed": int(a.element.signed),
    }
    e.emit("arith", sub=sub, **{**_result(r), **first, **more})


def _second(b: Local) -> dict[str, int]:
    return {
        "b_addr": b.address,
        "b_type": b.element.code,
        "b_signed": int(b.element.signed),
        "operands": 2,
    }


def add_bias(e: Emitter, r: Local, biases: int) -> None:
    """r + bias[c] in place; 4 bytes for each row of channels at address `biases`."""
    bias = Local(biases, r.shape, S32)
    _arith(e, _ADDS, r, bias, **_second(r), a_layout=_STRIDED, a_cstr=1)


def _row(b: Local) -> dict[str, int]:
    """A second operand that is the same row in each lane."""
    return {**_second(b), "b_layout": _STRIDED, "b_wstr": 1}


def add_row(e: Emitter, r: Local, row: Local) -> None:
    """r + row in place, int32; saturates."""
    _arith(e, _ADDS, r, r, **_row(row))


def lower_to_row(e: Emitter, r: Local, row: Local) -> None:
    """min(r, row) in place."""
    _arith(e, _MIN, r, r, **_row(row))


def add_constant(e: Emitter, r: Local, a: Local, number: int) -> None:
    """saturate(a + number) of int32."""
    assert a.element == S32
    second = {"b_addr": number & 0xFFFFFFFF, "b_const": 1, "b_type": S32.code, "b_signed": 1}
    _arith(e, _ADDS, r, a, **second, operands=2)


def add_saturated(e: Emitter, r: Local, a: Local, b: Local) -> None:
    """saturate(a + b)."""
    _arith(e, _ADDS, r, a, **_second(b))


def subtract_saturated(e: Emitter, r: Local, a: Local, b: Local) -> None:
    """saturate(a - b)."""
    _arith(e, _SUBS, r, a, **_second(b))


def multiply(e: Emitter, r: Local, a: Local, b: Local) -> None:
    """a * b."""
    _arith(e, _MUL, r, a, **_second(b))


def multiply_channels(e: Emitter, r: Local, a: Local, b: Local) -> None:
    """a * b[c]; b has one number for each channel."""
    strides = {"b_layout": _STRIDED, "b_cstr": b.strides[1]}
    _arith(e, _MUL, r, a, **_second(b), **strides)


def multiply_float(e: Emitter, r: Local, a: Local, factor: float) -> None:
    """a * factor in float32."""
    _arith(e, _MUL, r, a, b_addr=_bits(factor), b_const=1, b_type=F32.code, b_signed=1, operands=2)


def multiply_shift(e: Emitter, r: Local, a: Local, factor: tuple[int, int]) -> None:
    """half_up(a * factor[0] >> factor[1]) as int16; 0 <= factor[0] < 256."""
    assert r.element == S16
    second = {"b_addr": factor[0], "b_const": 1, "c_addr": -factor[1] & 255, "c_const": 1}
    _arith(e, _MULS, r, a, **second, operands=3, rounding=HALF_UP)


def cast(e: Emitter, r: Local, a: Local) -> None:
    """saturate(round(a)), halves away from zero."""
    _arith(e, _CAST, r, a, c_signed=int(r.element.signed), operands=1, rounding=HALF_AWAY)


def clear(e: Emitter, r: Local) -> None:
    """Zeros in all bytes of r, those between its channels too."""
    every = Local(r.address, (1, LANES, 1, r.size), S8)
    _arith(e, _COPY, every, every, a_addr=0, a_const=1, operands=1)


def pack_rows(e: Emitter, r: Local, a: Local) -> None:
    """One number of each channel: r[lane, q] = a[channel 64 q + lane]."""
    strides = {"r_layout": _STRIDED, "r_cstr": 1, "r_nstr": r.strides[0]}
    fields = {**_result(replace(r, shape=a.shape)), **strides}
    _arith(e, _COPY, r, a, **{**fields, "operands": 1})


def strides_of(side: str, place: Local, shape: Shape) -> dict[str, int]:
    """Stride fields of an operand of which `shape` is used; 0 along what it has once.

    Raises
    ------
    NoRoom : channels or samples lie too far apart for their fields
    """
    counts = shape[0], -(-shape[1] // LANES), shape[2], shape[3]
    steps = [step if count > 1 else 0 for step, count in zip(place.strides, counts)]
    if max(steps[:2]) > _MOST_APART:
        raise NoRoom(f"channels lie {max(steps[:2])} numbers apart; expected {_MOST_APART}")
    return {f"{side}_{axis}str": step for axis, step in zip("nchw", steps)}


def copy_rows(e: Emitter, r: Local, a: Local, shape: Shape) -> None:
    """r = a for `shape` of both: each lies within a picture of its own size."""
    apart = max(place.strides[1] for place in (r, a))
    each = shape[1] if apart <= _MOST_APART else LANES  # one row of channels has no steps
    for first in range(0, shape[1], each):
        part = shape[0], min(each, shape[1] - first), *shape[2:]
        more = {"operands": 1, "r_layout": _STRIDED, "a_layout": _STRIDED}
        more |= strides_of("r", r, part) | strides_of("a", a, part)
        _arith(e, _COPY, _rows_on(r, first, part), _rows_on(a, first, part), **more)


def _rows_on(place: Local, channel: int, shape: Shape) -> Local:
    by = channel // LANES * place.strides[1] * place.element.size
    return replace(place, address=place.address + by, shape=shape)


def raise_to_zero(e: Emitter, r: Local) -> None:
    """max(r, 0) in place."""
    second = {"b_type": r.element.code, "b_signed": int(r.element.signed), "b_const": 1}
    _arith(e, _MAX, r, r, **second, operands=2)


def lower_to_zero(e: Emitter, r: Local, a: Local) -> None:
    """min(a, 0)."""
    second = {"b_type": r.element.code, "b_signed": int(r.element.signed), "b_const": 1}
    _arith(e, _MIN, r, a, **second, operands=2)


def _requant(e: Emitter, r: Local, a: Local, **more: int) -> None:
    fields = {
        **_result(r),
        "r_signed": int(r.element.signed),
        "a_addr": a.address,
        "a_type": a.element.code,
        "a_signed": int(a.element.signed),
    }
    e.emit("requant", **fields, **more)


def requantize_channels(e: Emitter, r: Local, a: Local, words: int, rounding: int) -> None:
    """saturate(round(a * m[c] >> s[c])); words m, -s, 0 for each row, 64 bytes apart."""
    _requant(e, r, a, sub=1, b_addr=words, rounding=rounding)


def requantize(e: Emitter, r: Local, a: Local, factor: tuple[int, int], rounding: int) -> None:
    """saturate(round(a * factor[0] >> factor[1])); a is int32."""
    words = {"b_addr": factor[0] & 0xFFFFFFFF, "b_const": 1, "c_addr": -factor[1] & 255}
    _requant(e, r, a, sub=1, **words, rounding=rounding)


def dequantize(e: Emitter, r: Local, a: Local, scale: float) -> None:
    """scale * a in float32."""
    _requant(e, r, a, sub=3, b_const=1, c_addr=_bits(scale), rounding=HALF_AWAY)


def look_up(e: Emitter, r: Local, table: Local, index: Local) -> None:
    """table[index]; each lane has its own copy of the 256 bytes, or float32 numbers."""
    fields = {"a_type": table.element.code, "a_addr": table.address, "a_layout": _STRIDED}
    fields |= {"a_h": 1, "a_w": 256}
    fields |= {"b_addr": index.address, "b_c": index.shape[1], "b_w": index.shape[3]}
    e.emit("gather", sub=5, **_result(r), **fields)
