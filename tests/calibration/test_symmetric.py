"""Symmetric ranges, against rows that TPU-MLIR wrote for a network with plain attention."""

from __future__ import annotations

import pytest

from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration.symmetric import with_symmetric
from tpuc.calibration.table import parse, to_text

# threshold, min, max: its table for the network `vf`
ROWS = [
    (1.2109731, -1.2205083, 1.2109731),
    (1.5508180, -1.5630292, 1.5508180),
    (0.2468688, -0.2488126, 0.2468688),
]


@pytest.mark.parametrize("row", ROWS)
def test_ranges_are_those_of_the_vendor(row):
    table = CalibrationTable({"a": Range(row[0], -0.5, 2.5), "b": Range(1.0, -2.0, 3.0)})
    made = with_symmetric(table, ["a", "unknown"])
    assert made.ranges["a"].threshold == row[0]
    assert made.ranges["a"].min == pytest.approx(row[1], abs=1.1e-7)
    assert made.ranges["a"].max == row[2]
    assert made.ranges["b"] == table.ranges["b"]
    assert made.symmetric_ops == ("a",)


def test_without_negative_values_the_range_begins_at_zero():
    table = CalibrationTable({"a": Range(1.5, 0.25, 2.0)})
    assert with_symmetric(table, ["a"]).ranges["a"] == Range(1.5, 0.0, 1.5)


def test_nothing_changes_without_names():
    table = CalibrationTable({"a": Range(1.5, 0.25, 2.0)})
    assert with_symmetric(table, ()) is table


def test_the_section_is_read_back():
    table = CalibrationTable({"a": Range(1.0, -1.5, 2.0)})
    made = with_symmetric(table, ["a"])
    assert parse(to_text(made)).symmetric_ops == ("a",)
