from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.reports.sample import layers
from tpuc.reports.graph_view import BOX, graph_view, level


@pytest.mark.parametrize(
    ("sqnr", "kind"),
    [(math.inf, "q0"), (40.0, "q0"), (39.9, "q1"), (20.0, "q2"), (9.9, "q5"), (-math.inf, "q5"),
     (None, "qx"), (math.nan, "qx")],
)  # fmt: skip
def test_level(sqnr, kind):
    assert level(sqnr) == kind


def test_every_op_is_a_box_and_every_input_a_line():
    view = graph_view(layers())
    assert view is not None
    assert [box.layer.name for box in view.boxes] == [row.name for row in layers()]
    assert [(a, b) for a, b, _ in view.lines] == [(0, 1), (1, 2)]
    assert view.boxes[2].reads == "1"
    for box in view.boxes:
        assert 0 <= box.left <= view.width - BOX[0] and 0 <= box.top <= view.height - BOX[1]
    assert sum(step.count for step in view.steps) == 4
    assert {kind for kind, _ in view.overview} == {step.kind for step in view.steps}


def test_a_line_starts_and_ends_at_its_boxes():
    view = graph_view(layers())
    assert view is not None
    (_, _, path), first, second = view.lines[0], view.boxes[0], view.boxes[1]
    assert path == f"M{first.left + 74:.0f} {first.top + 46}V{second.top}"


def test_inputs_that_are_no_rows_are_left_out():
    rows = [replace(row, inputs=("nobody",)) for row in layers()]
    assert graph_view(rows) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/_blocks.1/_swish/Clip_output_0_Clip", "_blocks.1/…wish/Clip"),
        ("conv1", "conv1"),
        ("output_Gemm", "output_Gemm"),
        ("features.12.conv.0.weight_sum", "features.1…eight_sum"),
    ],
)
def test_a_box_tells_blocks_apart(name, shown):
    first, *others = layers()
    view = graph_view([replace(first, name=name), *others])
    assert view is not None and view.boxes[0].name == shown
