"""Text of quantize tables, both ways, against TPU-MLIR's files."""

from __future__ import annotations

import pytest

from tests.golden.mlir_names import FOLDER, read, vendor_table
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.errors import TableError
from tpuc.search import PartQuantize, match, merge
from tpuc.search.qtable import Header, parse, to_text

TABLES = sorted(p.name.removesuffix(".qtable") for p in FOLDER.glob("*.qtable"))


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_vendor_can_be_read_and_written(name):
    text = vendor_table(name)
    rows = text[text.index("# op_name") :]
    assert to_text(parse(text)) == rows


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("yolov8", None),
        ("bert_orig", None),
        ("detr_orig", None),
        ("yolov12", None),
        ("yolov5_raw.N_mode", PartQuantize("N_mode")),
    ],
)
def test_the_whole_text_is_that_of_the_vendor_but_for_the_time(name, part, bm1684x):
    matched = match(read(name.split(".")[0]), bm1684x, part=part)
    header = Header(1, "bm1684x", part.header if part else "None", matched.messages)
    assert to_text(merge(matched.ops), header) == vendor_table(name)


def test_sections_tell_who_decided():
    text = "# pattern layers\na F16\n# shape layers\nb f32\n# custom layers\nc BF16\n"
    choices = parse(text, "t").choices
    assert {n: c.source for n, c in choices.items()} == {"a": "pattern", "b": "shape", "c": "user"}
    assert choices["b"] == Choice("F32", "set by t, line 4", "shape")


def test_rows_without_sections_are_the_users():
    table = parse("\n# x\nop_a F16\nalone\nop_a INT8 more\n")
    assert table.choices == {"op_a": Choice("INT8", "set by quantize table, line 5", "user")}


def test_an_op_with_several_results_gives_a_row_for_each():
    table = parse('# shape layers\nfused["top_0", "top_1"] F16\nb F32\n', "t")
    choice = Choice("F16", "set by t, line 2", "shape")
    assert table.choices["top_0"] == table.choices["top_1"] == choice
    assert list(table.choices) == ["top_0", "top_1", "b"]
    with pytest.raises(TableError, match="line 1: unknown mode 'F99'"):
        parse('fused["top_0", "top_1"] F99\n')


def test_an_unknown_mode_is_an_error():
    with pytest.raises(TableError, match="line 2: unknown mode 'F17'; expected F32, F16"):
        parse("# c\na F17\n")


def test_sources_that_are_not_told_are_written_too():
    table = QuantizeTable({"a": Choice("F16"), "b": Choice("F32", "", "search")})
    assert parse(to_text(table)).choices.keys() == table.choices.keys()
