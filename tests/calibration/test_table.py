"""Calibration tables as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden import networks
from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration.table import check_table, parse, read, to_text
from tpuc.errors import TableError

_numbers = st.integers(-(10**9), 10**9).map(lambda i: i / 1e7)
_names = st.text(st.characters(codec="ascii", exclude_characters=" #\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f",
                               exclude_categories=("Cc",)), min_size=1)  # fmt: skip


@given(st.dictionaries(_names, st.tuples(_numbers, _numbers, _numbers), min_size=1))
def test_text_comes_back(rows):
    ranges = {n: Range(abs(t), min(a, b), max(a, b)) for n, (t, a, b) in rows.items()}
    table = CalibrationTable(ranges, "mse", "net.mlir", 100, 2048, 5)
    assert parse(to_text(table)) == table


@pytest.mark.parametrize("name", networks.NAMES)
def test_reads_what_tpu_mlir_writes(name):
    table = read(networks.table_file(name))
    assert (table.method, table.sample_num, table.tune_num) == ("kl", 8, 0)
    rows = [r for r in networks.table_file(name).read_text().splitlines() if not r.startswith("#")]
    assert to_text(table).splitlines()[10:] == [
        r.replace(" -0.0000000", " -0.0000000") for r in rows
    ]


def test_sections_come_back():
    row = {"a": Range(1.0, -1.0, 1.0)}
    table = CalibrationTable(
        row, "kl", int4=row, asym_ops=("b",), int4_ops=("c",), symmetric_ops=("d",),
        weight_scales={"w": (0.5, 0.25)},
    )  # fmt: skip
    assert parse(to_text(table)) == table


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        ("a 1 2", "line 1: 3 fields"),
        ("a 1 0 1\na 1 0 1", "line 2: op 'a' stands here a second time"),
        ("a x 0 1", "not a number"),
        ("a nan 0 1", "NaN"),
        ("a inf 0 1", "NaN or infinite"),
        ("a -1 0 1", "no range"),
        ("a 1 2 1", "no range"),
    ],
)
def test_bad_rows_are_named(text, word):
    with pytest.raises(TableError, match=word):
        parse(text)


def test_a_table_of_another_model_is_refused():
    table = CalibrationTable({"x": Range(1, 0, 1)}, model="other.mlir")
    with pytest.raises(TableError, match="belongs to another model"):
        check_table(table, ["a", "b"])


def test_unknown_and_missing_ops_are_named():
    table = CalibrationTable({"conv_1": Range(1, 0, 1), "relu": Range(1, 0, 1)})
    with pytest.raises(TableError, match="no op 'relu'"):
        check_table(table, ["conv_1", "relu_1"])
    with pytest.raises(TableError, match="no row for op 'fc'"):
        check_table(table, ["conv_1", "relu", "fc"])


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(TableError, match="can not be read"):
        read(tmp_path / "none")
