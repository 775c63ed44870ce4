"""mAP of perfect, shifted and missing boxes; the table."""

from __future__ import annotations

import numpy as np

from tpuc.evaluation.boxes import Letterbox
from tpuc.evaluation.detection import Detection, Limits

BOX = [10.0, 20.0, 40.0, 20.0]


def task() -> Detection:
    images = [{"id": 7 + i, "file_name": f"{i}.png", "width": 100, "height": 80} for i in range(2)]
    annotations = [
        {"id": i + 1, "image_id": 7 + i, "category_id": 3, "bbox": BOX, "area": 800.0, "iscrowd": 0}
        for i in range(2)
    ]
    kinds = [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}]
    truth = {"images": images, "annotations": annotations, "categories": kinds}
    places = [Letterbox((0.5, 0.5), (0, 5), (100, 80))] * 2
    return Detection(truth, places, (50, 50), Limits(0.01, 0.6, 10))


def outputs(shift: float, found: int = 2) -> list[np.ndarray]:
    """In the input: the boxes of the pictures, halved and moved 5 down; class 0 is id 3."""
    rows = np.zeros((2, 12, 6), np.float32)
    rows[:found, 3, :5] = 5 + shift, 15, 25 + shift, 25, 0.9
    return [rows]


def test_perfect_boxes() -> None:
    judge = task()
    records = judge.read(0, outputs(0))
    assert records[1]["boxes"][0][:4] == [10, 20, 50, 40]
    assert judge.figures(records) == {"map": 1.0, "map50": 1.0}


def test_shifted_boxes_count_up_to_their_iou() -> None:
    judge = task()
    figures = judge.figures(judge.read(0, outputs(2.0)))  # IoU 18/22: right at 0.5 ... 0.8
    assert figures["map50"] == 1.0
    assert abs(figures["map"] - 0.7) < 1e-6


def test_missing_boxes() -> None:
    judge = task()
    assert abs(judge.figures(judge.read(0, outputs(0, 1)))["map50"] - 51 / 101) < 1e-6
    assert judge.figures(judge.read(0, outputs(0, 0))) == {"map": 0.0, "map50": 0.0}


def test_table_has_a_row_for_each_box() -> None:
    judge = task()
    rows = judge.table({"float": judge.read(0, outputs(0)), "INT8": judge.read(0, outputs(0, 1))})
    assert rows[0][:4] == ["build", "picture", "class", "score"]
    assert [r[:3] for r in rows[1:]] == [
        ["float", "0.png", "cat"], ["float", "1.png", "cat"], ["INT8", "0.png", "cat"],
    ]  # fmt: skip
