"""Samples and annotations that do not fit a transformer or detector: one line, status 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.golden import transformers
from tests.test_bad_input import run
from tests.test_yolo_recipes import network

BERT = ["recipe=custom", "model.path=bert.onnx", "dataset.path=words.npz", "calibration.tune_num=0"]
YOLO = [
    "recipe=yolov8n", "model.path=yolov8.onnx", "dataset.path=val", "evaluation.path=val",
    "evaluation.annotations=truth.json",
]  # fmt: skip


def words(home: Path, change: Callable[[dict[str, np.ndarray]], object]) -> list[str]:
    transformers.onnx_file("bert", home)
    parts = [transformers.sample("bert", i) for i in range(4)]
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    change(joined)
    np.savez(home / "words.npz", **joined)
    return BERT


def without_a_mask(home: Path) -> list[str]:
    return words(home, lambda d: d.pop("attention_mask"))


def with_a_word_too_many(home: Path) -> list[str]:
    return words(home, lambda d: d["input_ids"].__setitem__((2, 3), 64))


def with_fewer_masks(home: Path) -> list[str]:
    return words(home, lambda d: d.update(attention_mask=d["attention_mask"][:3]))


def coco(home: Path, **change: object) -> list[str]:
    network(home, "yolov8")
    (home / "val").mkdir()
    cv2.imwrite(str(home / "val" / "a.png"), np.full((48, 64, 3), 90, np.uint8))
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
    row = {"id": 1, "image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4]}
    kinds = [{"id": i, "name": f"kind {i}"} for i in range(4)]
    content = {"images": [image], "annotations": [row], "categories": kinds, **change}
    (home / "truth.json").write_text(json.dumps(content))
    return YOLO


def a_picture_that_is_not_there(home: Path) -> list[str]:
    image = {"id": 1, "file_name": "b.png", "width": 64, "height": 48}
    return coco(home, images=[image])


def a_box_without_its_picture(home: Path) -> list[str]:
    return coco(home, images=[{"id": 2, "file_name": "a.png", "width": 64, "height": 48}])


def no_pictures(home: Path) -> list[str]:
    return coco(home, images=[])


def a_picture_of_no_size(home: Path) -> list[str]:
    return coco(home, images=[{"id": 1, "file_name": "a.png", "width": 0, "height": 48}])


def an_empty_picture(home: Path) -> list[str]:
    keys = coco(home)
    (home / "val" / "a.png").write_bytes(b"")
    return keys


def another_number_of_classes(home: Path) -> list[str]:
    return coco(home, categories=[{"id": 0, "name": "one"}])


CASES: dict[Callable[[Path], list[str]], str] = {
    without_a_mask: "words.npz: has no array 'attention_mask'",
    with_a_word_too_many: "words.npz, sample 2: 'input_ids': 64 is out of range; expected 0 to 63",
    with_fewer_masks: "different or no numbers of samples",
    a_picture_that_is_not_there: "the first is 'b.png'",
    a_box_without_its_picture: "annotation 1 is about image 1, which 'images' does not have",
    no_pictures: "names no picture or no category",
    a_picture_of_no_size: "'a.png' is 0x48 pixels; expected at least 1x1",
    an_empty_picture: "a.png",
    another_number_of_classes: "are no boxes of 1 classes",
}


@pytest.mark.parametrize("prepare", CASES, ids=lambda f: f.__name__)
def test_wrong_samples_are_one_line(prepare, tmp_path):
    done = run(tmp_path, *prepare(tmp_path), "hydra.run.dir=run")
    lines = [line for line in done.stderr.splitlines() if "tpuc: " in line]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert CASES[prepare] in lines[0]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").glob("*.bmodel"))
