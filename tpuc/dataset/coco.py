"""Boxes and classes of pictures, from a json file in COCO's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tpuc.errors import DataError

__all__ = ["read_coco"]

_PARTS = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


def read_coco(file: Path, folder: Path, most: int = 0) -> tuple[dict[str, Any], list[Path]]:
    """Annotations and the pictures that they are about.

    Parameters
    ----------
    folder : Path
        Where the pictures lie.
    most : int
        How many pictures at most, in the file's order; 0: all.

    Returns
    -------
    (dict, list of Path)
        images, annotations and categories of these pictures; one path each.

    Raises
    ------
    DataError : the file is damaged or inconsistent, or a picture is missing
    """
    truth = _checked(_load(file), file)
    images = truth["images"][: most or None]
    chosen = {image["id"] for image in images}
    known = {image["id"] for image in truth["images"]}
    kinds = {category["id"] for category in truth["categories"]}
    annotations = []
    for row in truth["annotations"]:
        _check_row(row, known, kinds, file)
        if row["image_id"] in chosen:
            x, y, width, height = row["bbox"]
            annotations.append({"iscrowd": 0, "area": width * height, **row})
    paths = _paths(images, folder, file)
    return {**truth, "images": images, "annotations": annotations}, paths


def _load(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"evaluation.annotations: {file} is no json file ({error})") from error


def _checked(content: Any, file: Path) -> dict[str, Any]:
    for part, keys in _PARTS.items():
        rows = content.get(part) if isinstance(content, dict) else None
        if not isinstance(rows, list):
            raise DataError(
                f"evaluation.annotations: {file} has no list '{part}'; expected COCO's form "
                "(images, annotations, categories)"
            )
        for number, row in enumerate(rows):
            missing = [k for k in keys if not isinstance(row, dict) or k not in row]
            if missing:
                raise DataError(
                    f"evaluation.annotations: {file}: {part}[{number}] has no '{missing[0]}'"
                )
    if not content["images"] or not content["categories"]:
        raise DataError(f"evaluation.annotations: {file} names no picture or no category")
    for image in content["images"]:
        sides = (image["width"], image["height"])
        if not all(isinstance(side, int) and side > 0 for side in sides):
            raise DataError(
                f"evaluation.annotations: {file}: picture '{image['file_name']}' is "
                f"{sides[0]}x{sides[1]} pixels; expected at least 1x1"
            )
    return {part: content[part] for part in _PARTS}


def _check_row(row: dict[str, Any], images: set[Any], kinds: set[Any], file: Path) -> None:
    if row["image_id"] not in images:
        raise DataError(
            f"evaluation.annotations: {file}: annotation {row['id']} is about image "
            f"{row['image_id']}, which 'images' does not have"
        )
    if row["category_id"] not in kinds:
        raise DataError(
            f"evaluation.annotations: {file}: annotation {row['id']} is of category "
            f"{row['category_id']}, which 'categories' does not have"
        )
    box = row["bbox"]
    numbers = (
        isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)
    )
    if not numbers or min(box[2:]) < 0:
        raise DataError(
            f"evaluation.annotations: {file}: annotation {row['id']} has the box {box}; "
            "expected left, top, width and height"
        )


def _paths(images: list[dict[str, Any]], folder: Path, file: Path) -> list[Path]:
    paths = [folder / str(image["file_name"]) for image in images]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise DataError(
            f"evaluation.annotations: {file} names {len(images)} pictures, {len(missing)} of them "
            f"are not in {folder}, the first is '{missing[0].name}'. Hint: evaluation.path=FOLDER"
        )
    return paths
