"""Doubles are written as LLVM writes them (expected texts are tpuc-opt's)."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpuc.ir.double_text import format_double

LLVM = [
    (6.0, "6.000000e+00"),
    (-0.0, "-0.000000e+00"),
    (0.1, "1.000000e-01"),
    (1 / 3, "0.33333333333333331"),
    (100.125, "1.001250e+02"),
    (1234567.0, "0x4132D68700000000"),  # seven digits
    (0.001234567, "0.001234567"),
    (99999.95, "99999.949999999997"),
    (0.99999999, "0.99999998999999994"),  # LLVM cuts before it rounds
    (9.034701875521023e-09, "9.0347018755210228E-9"),
    (9.9999997473787516e-06, "9.9999997473787516E-6"),
    (1000000000000000.2, "1000000000000000.3"),
    (1.2345678901234568e17, "1.2345678901234568E+17"),
    (1.7976931348623157e308, "1.7976931348623157E+308"),
    (5e-324, "4.940660e-324"),
    (math.inf, "0x7FF0000000000000"),
    (-math.inf, "0xFFF0000000000000"),
]


@pytest.mark.parametrize(("number", "text"), LLVM)
def test_llvms_texts(number, text):
    assert format_double(number) == text


@given(st.floats(allow_nan=False))
def test_it_reads_back_as_the_same_bits(number):
    text = format_double(number)
    if text.startswith("0x"):
        back = struct.unpack(">d", bytes.fromhex(text[2:]))[0]
    else:
        back = float(text)
    assert struct.pack("<d", back) == struct.pack("<d", number)


def test_nan_keeps_its_bits():
    assert format_double(math.nan) == "0x7FF8000000000000"
