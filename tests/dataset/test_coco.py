"""Annotations that fit, and every way in which they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tpuc.dataset import read_coco
from tpuc.errors import DataError


def content() -> dict[str, Any]:
    images = [{"id": i, "file_name": f"{i}.png", "width": 10, "height": 8} for i in range(3)]
    rows = [{"id": i, "image_id": i, "category_id": 1, "bbox": [1, 2, 3, 4]} for i in range(3)]
    return {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}


def write(folder: Path, found: Any) -> Path:
    for number in range(3):
        (folder / f"{number}.png").write_bytes(b"")
    file = folder / "truth.json"
    file.write_text(json.dumps(found))
    return file


def test_a_part_of_the_pictures(tmp_path: Path) -> None:
    truth, paths = read_coco(write(tmp_path, content()), tmp_path, 2)
    assert [p.name for p in paths] == ["0.png", "1.png"]
    assert [(r["image_id"], r["area"], r["iscrowd"]) for r in truth["annotations"]] == [
        (0, 12, 0), (1, 12, 0),
    ]  # fmt: skip


def test_a_missing_picture(tmp_path: Path) -> None:
    file = write(tmp_path, content())
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"names 3 pictures, 1 of them are not in .*'1.png'"):
        read_coco(file, tmp_path)


@pytest.mark.parametrize(
    ("part", "index", "change", "message"),
    [
        ("images", 1, {"width": 0}, "picture '1.png' is 0x8 pixels"),
        ("annotations", 2, {"image_id": 9}, "annotation 2 is about image 9"),
        ("annotations", 2, {"category_id": 4}, "annotation 2 is of category 4"),
        ("annotations", 0, {"bbox": [1, 2, 3]}, "has the box"),
        ("annotations", 0, {"bbox": [1, 2, -3, 4]}, "has the box"),
        ("annotations", 0, {"bbox": []}, "has the box"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path, part: str, index: int, change: dict[str, Any], message: str
) -> None:
    found = content()
    found[part][index].update(change)
    with pytest.raises(DataError, match=message):
        read_coco(write(tmp_path, found), tmp_path)


def test_what_is_no_annotations_file(tmp_path: Path) -> None:
    file = write(tmp_path, [1])
    with pytest.raises(DataError, match="has no list 'images'"):
        read_coco(file, tmp_path)
    file.write_text("{")
    with pytest.raises(DataError, match="is no json file"):
        read_coco(file, tmp_path)
    broken = content()
    del broken["images"][0]["height"]
    with pytest.raises(DataError, match=r"images\[0\] has no 'height'"):
        read_coco(write(tmp_path, broken), tmp_path)
