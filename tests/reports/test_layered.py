from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpuc.reports.layered import draw


def _legal(inputs):
    drawing = draw(inputs)
    assert len(drawing.x) == len(drawing.rank) == len(inputs)
    for op, read in enumerate(inputs):
        assert all(drawing.rank[i] < drawing.rank[op] for i in read)
    rows: dict[int, list[float]] = {}
    for x, rank in zip(drawing.x, drawing.rank):
        assert 0.5 - 1e-6 <= x <= drawing.width - 0.5 + 1e-6
        rows.setdefault(rank, []).append(x)
    for places in rows.values():
        places.sort()
        assert all(b - a > 1.0 for a, b in zip(places, places[1:]))
    assert {(a, b) for a, b, _ in drawing.lines} == {
        (i, op) for op, read in enumerate(inputs) for i in read
    }
    for a, b, bends in drawing.lines:
        assert [rank for _, rank in bends] == list(range(drawing.rank[a] + 1, drawing.rank[b]))
    return drawing


@st.composite
def graphs(draw_from):
    count = draw_from(st.integers(1, 25))
    return [
        tuple(draw_from(st.lists(st.integers(0, op - 1), max_size=3, unique=True))) if op else ()
        for op in range(count)
    ]


@given(graphs())
def test_any_graph_is_drawn_without_overlap(inputs):
    _legal(inputs)


def test_a_chain_is_straight():
    drawing = _legal([(), *((i,) for i in range(9))])
    assert len(set(drawing.x)) == 1 and drawing.rank == tuple(range(10))


def test_a_residual_block_keeps_its_trunk_straight_beside_the_branch():
    drawing = _legal([(), (0,), (1,), (2,), (0, 3)])
    assert drawing.x[1] == pytest.approx(drawing.x[2]) == pytest.approx(drawing.x[3])
    (_, _, bends) = next(found for found in drawing.lines if found[:2] == (0, 4))
    assert len({round(x, 6) for x, _ in bends}) == 1


def test_branches_do_not_cross():
    """0 feeds 1 and 2, whose readers come in the other order."""
    drawing = _legal([(), (0,), (0,), (2,), (1,), (3, 4)])
    assert (drawing.x[1] - drawing.x[2]) * (drawing.x[4] - drawing.x[3]) > 0


def test_a_constant_stands_above_its_reader():
    assert _legal([(), (0,), (1,), (), (2, 3)]).rank[3] == 2


def test_nothing_is_drawn_of_nothing():
    assert draw([]).x == ()


def test_lines_of_one_op_share_their_bends():
    drawing = _legal([(), *((0, i) if i else (0,) for i in range(6))])
    passed = [bends for a, _, bends in drawing.lines if a == 0]
    longest = max(passed, key=len)
    assert all(bends == longest[: len(bends)] for bends in passed)
