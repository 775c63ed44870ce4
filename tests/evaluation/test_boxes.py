"""Outputs of detectors as boxes, suppression against a slow twin, and back to the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpuc.errors import DataError
from tpuc.evaluation.boxes import Letterbox, decode, iou, suppress, to_picture


def logit(x: float) -> float:
    return float(np.log(x / (1 - x)))


def test_v8_and_v5_forms_hold_the_same_box() -> None:
    v8 = np.zeros((1, 6, 40), np.float32)
    v8[0, :4, 7], v8[0, 5, 7] = (20, 30, 10, 8), 0.9
    v5 = np.zeros((1, 40, 7), np.float32)
    v5[0, 7] = (20, 30, 10, 8, 0.9, 0.0, 1.0)
    for outputs in ([v8], [v5]):
        (found,) = decode(outputs, 2, (64, 64), 0.1)
        assert np.allclose(found, [[15, 26, 25, 34, 0.9, 1]])


def test_anchors_decode_as_published() -> None:
    grids = [np.full((1, 21, n, n), -20, np.float32) for n in (2, 8, 4)]
    # second anchor of the finest grid, cell (x 3, y 5): centre (3 + 0.5) * 8, size 16 x 30
    grids[1][0, 7:14, 5, 3] = 0, 0, 0, 0, logit(0.8), -20, logit(0.5)
    (found,) = decode(grids, 2, (64, 64), 0.1)
    assert np.allclose(found, [[28 - 8, 44 - 15, 28 + 8, 44 + 15, 0.4, 1]], atol=1e-4)
    split = [g.reshape(1, 3, 7, *g.shape[2:]).transpose(0, 1, 3, 4, 2) for g in grids]
    assert np.array_equal(decode(split, 2, (64, 64), 0.1)[0], found)


def test_boxes_that_are_suppressed_already() -> None:
    rows = np.array([[[1, 2, 3, 4, 0.9, 1], [0, 0, 0, 0, 0, 0]]], np.float32)
    assert np.array_equal(decode([rows], 5, (8, 8), 0.5)[0], rows[0, :1])


def test_rows_of_a_postprocess_op() -> None:
    rows = np.zeros((1, 1, 4, 7), np.float32)
    rows[0, 0, 0] = 0, 3, 0.75, 20, 30, 10, 8
    assert np.allclose(decode([rows], 5, (64, 64), 0.5)[0], [[15, 26, 25, 34, 0.75, 3]])


def test_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match=r"outputs of shape \[\[1, 10\]\] are no boxes of 3"):
        decode([np.zeros((1, 10), np.float32)], 3, (8, 8), 0.5)


def slow(boxes: np.ndarray, max_iou: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -boxes[i, 4]):
        better = [k for k in kept if boxes[k, 5] == boxes[i, 5]]
        if all(iou(boxes[k, :4], boxes[i : i + 1, :4])[0] <= max_iou for k in better):
            kept.append(i)
    return kept


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 0.9))
def test_suppression_keeps_what_a_slow_one_keeps(seed: int, max_iou: float) -> None:
    chance = np.random.default_rng(seed)
    low = chance.uniform(0, 20, (25, 2))
    boxes = np.concatenate(
        (low, low + chance.uniform(1, 20, (25, 2)), chance.random((25, 1)),
         chance.integers(0, 2, (25, 1))), 1,
    ).astype(np.float32)  # fmt: skip
    assert np.array_equal(suppress(boxes, max_iou, 100), boxes[slow(boxes, max_iou)])
    assert len(suppress(boxes, max_iou, 2)) == 2


def test_iou() -> None:
    box = np.array([0, 0, 4, 4.0])
    others = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [5, 5, 6, 6.0]])
    assert np.allclose(iou(box, others), [1, 8 / 24, 0])


def test_boxes_return_to_the_picture() -> None:
    place = Letterbox((0.5, 0.25), (10, 20), (100, 40))
    boxes = np.array([[20, 25, 200, 29, 0.5, 3]], np.float32)
    assert to_picture(boxes, place).tolist() == [[20, 20, 100, 36, 0.5, 3]]
