"""Precedence of tables, and who decided what."""

from __future__ import annotations

from itertools import permutations

from tpuc.artifacts import Choice, QuantizeTable
from tpuc.search import FloatOp, decided_by, merge
from tpuc.search.float_ops import SOURCES


def op(name: str, source: str) -> FloatOp:
    return FloatOp(name, name, "F16", source, f"by {source}")


def test_the_stronger_source_wins_in_any_order():
    sources = ("fp_forward", "shape", "pattern")
    for order in permutations(sources):
        table = merge([op("a", source) for source in order])
        assert table.choices == {"a": Choice("F16", "by fp_forward", "fp_forward")}


def test_each_source_beats_those_after_it():
    for strong, weak in zip(SOURCES[1:-1], SOURCES[2:], strict=True):
        if weak != "search":
            assert merge([op("a", weak), op("a", strong)]).choices["a"].source == strong


def test_the_user_wins_and_a_search_loses():
    user = QuantizeTable({"a": Choice("INT8", "set by t, line 1", "pattern")})
    searched = {n: Choice("F32", "worst loss") for n in "abc"}
    table = merge([op("a", "fp_forward"), op("b", "part_quantize")], user, searched)
    assert table.choices["a"] == Choice("INT8", "set by t, line 1", "user")
    assert table.choices["b"].source == "part_quantize"
    assert table.choices["c"] == Choice("F32", "worst loss", "search")
    assert decided_by(table) == {"user": 1, "part_quantize": 1, "search": 1}


def test_rows_stand_by_section():
    given = [op("u", "fp_forward"), op("s", "shape"), op("p", "pattern"), op("q", "pattern")]
    assert list(merge(given).choices) == ["p", "q", "s", "u"]
