"""Scenes for a detector: shapes and handwritten digits drawn on photographs, with their boxes.

Everything follows from the seed. Training sees no background and no digit of the test part.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from tpuc.zoo.digits import split
from tpuc.zoo.folders import made_once
from tpuc.zoo.pictures import photographs

__all__ = ["CLASSES", "Scene", "draw_scene", "make_calibration", "make_model", "make_test"]

CLASSES = ("circle", "square", "triangle", "star", "zero", "one", "four", "seven")

_TEST_PHOTOGRAPHS = ("china", "coffee")
_DIGITS = {"zero": 0, "one": 1, "four": 4, "seven": 7}
_LONG, _SHORT = 192, (128, 192)  # pixels of a scene's sides
_SIZES = (26, 80)  # pixels of an object
_OBJECTS = (1, 6)
_OVERLAP = 0.1
_CALIBRATION, _TEST = 100, 100
_SEEDS = {"calibration": 1_000_000, "test": 2_000_000}


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 BGR (H, W, 3), and its objects: boxes (N, 4) as x, y, width, height."""

    picture: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


def make_model(folder: Path) -> Path:
    """Path of the ONNX file inside the package."""
    return Path(__file__).resolve().parent / "tiny_yolo.onnx"


def make_calibration(folder: Path) -> Path:
    """Folder of pictures drawn as for training, with seeds of their own."""
    target = folder / "scenes_calibration"
    return made_once(target, lambda f: _write(f, "calibration", _CALIBRATION, False))


def make_test(folder: Path) -> Path:
    """Folder of test pictures and `annotations.json`, which is in COCO's format."""
    return made_once(folder / "scenes_test", lambda f: _write(f, "test", _TEST, True))


def draw_scene(seed: int, test: bool = False) -> Scene:
    """One scene; the same for the same seed."""
    chance = np.random.default_rng(seed)
    photos = [p for name, p in _photographs().items() if (name in _TEST_PHOTOGRAPHS) == test]
    picture = _background(chance, photos[int(chance.integers(len(photos)))])
    boxes: list[tuple[int, int, int, int]] = []
    classes: list[int] = []
    for _ in range(int(chance.integers(_OBJECTS[0], _OBJECTS[1] + 1))):
        kind = int(chance.integers(len(CLASSES)))
        mask = _mask(chance, CLASSES[kind], test)
        place = _place(chance, mask.shape, picture.shape, boxes)
        if place is None:
            continue
        left, top = place
        height, width = mask.shape
        _paint(chance, picture[top : top + height, left : left + width], mask)
        boxes.append((left, top, width, height))
        classes.append(kind)
    return Scene(picture, np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64))


@lru_cache(maxsize=1)
def _photographs() -> dict[str, np.ndarray]:
    return photographs()


@lru_cache(maxsize=2)
def _handwritten(test: bool) -> dict[int, np.ndarray]:
    pictures, labels = split()[int(test)]
    return {d: pictures[labels == d][:, 0] for d in _DIGITS.values()}


def _background(chance: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A crop of the photograph, of random shape, perhaps mirrored."""
    sides = [_LONG, int(chance.integers(*_SHORT))]
    width, height = sides if chance.random() < 0.5 else sides[::-1]
    most = min(photo.shape[0] / height, photo.shape[1] / width)
    zoom = float(chance.uniform(min(0.7, most), most))
    tall, wide = int(height * zoom), int(width * zoom)
    top = int(chance.integers(photo.shape[0] - tall + 1))
    left = int(chance.integers(photo.shape[1] - wide + 1))
    crop = photo[top : top + tall, left : left + wide]
    crop = crop[:, ::-1] if chance.random() < 0.5 else crop
    return np.ascontiguousarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA))


def _mask(chance: np.random.Generator, kind: str, test: bool) -> np.ndarray:
    """Coverage of the object's pixels, float32 in [0, 1], cut to its box."""
    size = int(chance.integers(*_SIZES))
    if kind in _DIGITS:
        drawn = _handwritten(test)[_DIGITS[kind]]
        digit = drawn[int(chance.integers(len(drawn)))]
        mask = cv2.resize(digit, (size, size), interpolation=cv2.INTER_CUBIC)
        mask = np.clip((mask - 0.35) * 4.0, 0.0, 1.0)
    else:
        mask = np.zeros((size, size), np.uint8)
        turn = float(chance.uniform(-0.35, 0.35))
        cv2.fillPoly(mask, [_outline(kind, size, turn)], 255, cv2.LINE_AA)
        mask = mask.astype(np.float32) / 255.0
    rows, columns = np.nonzero(mask > 0.5)
    return mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _outline(kind: str, size: int, turn: float) -> np.ndarray:
    corners = {"circle": 40, "square": 4, "triangle": 3, "star": 10}[kind]
    radius = np.full(corners, size / 2 - 1.0)
    if kind == "star":
        radius[1::2] *= 0.42
    start = -math.pi / 2 + turn + (math.pi / 4 if kind == "square" else 0.0)
    angle = start + 2 * math.pi * np.arange(corners) / corners
    middle = (size - 1) / 2
    points = np.stack((middle + radius * np.cos(angle), middle + radius * np.sin(angle)), 1)
    return np.rint(points).astype(np.int32)


def _place(
    chance: np.random.Generator,
    size: tuple[int, ...],
    room: tuple[int, ...],
    boxes: list[tuple[int, int, int, int]],
) -> tuple[int, int] | None:
    """(left, top) where the object hides hardly anything of the others; None if there is none."""
    for _ in range(20):
        left = int(chance.integers(room[1] - size[1] + 1))
        top = int(chance.integers(room[0] - size[0] + 1))
        shared = 0.0
        for x, y, w, h in boxes:
            wide = min(left + size[1], x + w) - max(left, x)
            tall = min(top + size[0], y + h) - max(top, y)
            shared = max(shared, max(wide, 0) * max(tall, 0) / min(w * h, size[0] * size[1]))
        if shared <= _OVERLAP:
            return left, top
    return None


def _paint(chance: np.random.Generator, part: np.ndarray, mask: np.ndarray) -> None:
    """Blend a colour that differs from what lies below."""
    below = part.reshape(-1, 3).mean(0)
    colour = chance.uniform(0, 255, 3)
    while np.abs(colour - below).max() < 90:
        colour = chance.uniform(0, 255, 3)
    weight = mask[:, :, None] * float(chance.uniform(0.8, 1.0))
    part[:] = np.rint(part * (1 - weight) + colour * weight).astype(np.uint8)


def _write(folder: Path, part: str, count: int, test: bool) -> None:
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number in range(count):
        scene = draw_scene(_SEEDS[part] + number, test)
        name = f"{number:04d}.png"
        cv2.imwrite(str(folder / name), scene.picture)
        height, width = scene.picture.shape[:2]
        images.append({"id": number + 1, "file_name": name, "height": height, "width": width})
        for box, kind in zip(scene.boxes.tolist(), scene.classes.tolist()):
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number + 1, "category_id": kind + 1,
                    "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
                }
            )  # fmt: skip
    if test:
        categories = [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations.json").write_text(json.dumps(content))
