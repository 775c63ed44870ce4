from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.dataset.graphs import input_graph
from tpuc.dataset import load_sample, read_picture
from tpuc.errors import DataError
from tpuc.frontend import Preprocess

FOLDER = Path(__file__).parents[1] / "golden" / "preprocess"
GOLDEN = json.loads((FOLDER / "arrays.json").read_text())
PICTURES = [
    (case, name, wanted) for case, g in GOLDEN.items() for name, wanted in g["arrays"].items()
]


def preprocess_of(options: dict) -> Preprocess:
    """TPU-MLIR writes lists of numbers as text."""
    kinds = {"mean": float, "scale": float, "resize_dims": int}
    values = {
        k: tuple(kinds[k](n) for n in v.split(",")) if k in kinds else v for k, v in options.items()
    }
    return Preprocess(**values)


@pytest.mark.parametrize(("case", "name", "wanted"), PICTURES)
def test_tensor_equals_the_vendors(case: str, name: str, wanted: list | None) -> None:
    golden = GOLDEN[case]
    graph = input_graph({"x": tuple(golden["shape"])}, preprocess_of(golden["options"]))
    files = (FOLDER / name,)
    if wanted is None:
        with pytest.raises(DataError, match=rf"{name}.*would shrink to \d+x0"):
            load_sample(files, tuple(graph.nodes))
        return
    x = load_sample(files, tuple(graph.nodes))["x"]
    assert list(x.shape) == wanted[0] == golden["shape"]
    assert x.dtype == np.float32
    assert hashlib.sha256(np.ascontiguousarray(x, "<f4").tobytes()).hexdigest() == wanted[1]


def test_formula(tmp_path: Path) -> None:
    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    cv2.imwrite(str(tmp_path / "p.png"), picture)
    graph = input_graph(
        {"x": (1, 3, 4, 5)},
        Preprocess(mean=(1.0, 2.0, 3.0), scale=(0.5, 0.25, 2.0), pixel_format="rgb"),
    )
    x = load_sample((tmp_path / "p.png",), tuple(graph.nodes))["x"]
    wanted = (picture[:, :, ::-1].astype(np.float32) - [1, 2, 3]) * [0.5, 0.25, 2.0]
    np.testing.assert_array_equal(x[0], wanted.transpose(2, 0, 1).astype(np.float32))


def test_opaque_picture_as_rgba(tmp_path: Path) -> None:
    picture = np.full((3, 2, 3), (1, 2, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "p.png"), picture)
    read = read_picture(tmp_path / "p.png", "rgba")
    assert (read == (3, 2, 1, 255)).all()


@pytest.mark.parametrize("pixel_format", ["bgr", "gray", "rgba"])
def test_damaged_picture(tmp_path: Path, pixel_format: str) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes((FOLDER / "colour.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"bad\.png: not a picture"):
        read_picture(bad, pixel_format)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_truncated_jpeg(tmp_path: Path, kept: float) -> None:
    data = (FOLDER / "photo.jpg").read_bytes()
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=r"bad\.jpg"):
        read_picture(bad, "bgr")


def test_truncated_jpeg_with_a_whole_thumbnail(tmp_path: Path) -> None:
    data = (FOLDER / "photo.jpg").read_bytes()
    thumbnail = data[:2] + b"\xff\xda\x00\x02\x00\xff\xd9"
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + segment + data[2:]
    (tmp_path / "whole.jpg").write_bytes(whole + b"\0\0trailing")
    assert read_picture(tmp_path / "whole.jpg", "bgr").shape == (97, 131, 3)
    (tmp_path / "bad.jpg").write_bytes(whole[:-100])
    with pytest.raises(DataError, match=r"bad\.jpg: the JPEG file is truncated"):
        read_picture(tmp_path / "bad.jpg", "bgr")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 0, 8) + bytes(9)),
        ("a.bmp", b"BM" + bytes(16) + struct.pack("<ii", 0, 8) + bytes(30)),
    ],
)
def test_a_picture_without_pixels(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="is 0x8 pixels; expected at least 1x1"):
        read_picture(tmp_path / name, "bgr")


def test_empty_missing_or_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(DataError, match=r"empty\.jpg: the file is empty"):
        read_picture(tmp_path / "empty.jpg", "bgr")
    with pytest.raises(DataError, match=r"none\.jpg: no such picture"):
        read_picture(tmp_path / "none.jpg", "bgr")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DataError, match=r"folder\.jpg: can not be read"):
        read_picture(tmp_path / "folder.jpg", "bgr")
