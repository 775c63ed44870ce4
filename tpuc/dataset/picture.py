"""A picture file as the network's input tensor: TPU-MLIR's preprocessing, by OpenCV.

read (BGR) -> resize -> crop the centre -> colour order -> (x - mean) * scale, in float32
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tpuc.errors import DataError
from tpuc.ir import Attr

__all__ = ["PICTURE_SUFFIXES", "preprocess_picture", "read_picture"]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".jfif")

_FLAGS = {"gray": cv2.IMREAD_GRAYSCALE, "rgba": cv2.IMREAD_UNCHANGED}


def read_picture(path: Path, pixel_format: str) -> np.ndarray:
    """uint8 array (H, W, C); C in OpenCV's order (BGR), or gray, or RGBA.

    Raises
    ------
    DataError : the file is missing, empty, or not a picture
    """
    if not path.is_file():
        raise DataError(f"{path}: no such picture")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty; expected a picture")
    picture = cv2.imread(str(path), _FLAGS.get(pixel_format, cv2.IMREAD_COLOR))
    if picture is None or picture.size == 0:
        raise DataError(f"{path}: not a picture that OpenCV can read, or damaged")
    if pixel_format == "rgba":
        if picture.ndim != 3 or picture.shape[2] != 4:
            raise DataError(f"{path}: has no alpha channel; expected RGBA")
        picture = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
    return picture if picture.ndim == 3 else picture[:, :, None]


def preprocess_picture(picture: np.ndarray, attrs: dict[str, Attr]) -> np.ndarray:
    """One sample of a network's input, float32 (1, C, H, W) or (1, H, W, C).

    Parameters
    ----------
    picture : uint8 array (H, W, C)
    attrs : dict
        Attributes of the Input op, plus `size`: (height, width) of the network's input.
    """
    rows, columns = (int(v) for v in attrs["resize_dims"])  # type: ignore[union-attr]
    height, width = (int(v) for v in attrs["size"])  # type: ignore[union-attr]
    if attrs["keep_aspect_ratio"] and attrs["keep_ratio_mode"] == "letterbox":
        resized = _letterbox(picture, rows, columns, attrs)
    elif attrs["keep_aspect_ratio"]:
        resized = _short_side(picture, rows, columns)
    else:
        resized = _resize(picture, rows, columns)
    top, left = rows // 2 - height // 2, columns // 2 - width // 2
    cut = resized[top : top + height, left : left + width]
    x = np.ascontiguousarray(cut.transpose(2, 0, 1), np.float32)
    if attrs["pixel_format"] == "rgb":
        x = x[::-1]
    channels = x.shape[0]
    mean = np.array(attrs["mean"], np.float32)[:channels].reshape(-1, 1, 1)
    scale = np.array(attrs["scale"], np.float32)[:channels].reshape(-1, 1, 1)
    x = (x - mean) * scale
    if attrs["channel_format"] == "nhwc":
        x = x.transpose(1, 2, 0)
    return np.ascontiguousarray(x[None])


def _resize(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    resized = cv2.resize(picture, (columns, rows))
    return resized if resized.ndim == 3 else resized[:, :, None]


def _letterbox(picture: np.ndarray, rows: int, columns: int, attrs: dict[str, Attr]) -> np.ndarray:
    ih, iw = picture.shape[:2]
    factor = min(columns / iw, rows / ih)
    nh, nw = int(ih * factor), int(iw * factor)
    inner = _resize(picture, nh, nw)
    canvas = np.full((rows, columns, picture.shape[2]), attrs["pad_value"], np.uint8)
    centred = attrs["pad_type"] == "center"
    top, left = ((rows - nh) // 2, (columns - nw) // 2) if centred else (0, 0)
    canvas[top : top + nh, left : left + nw] = inner
    return canvas


def _short_side(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    ih, iw = picture.shape[:2]
    factor = max(columns / iw, rows / ih)
    nh, nw = max(int(ih * factor), rows), max(int(iw * factor), columns)
    resized = _resize(picture, nh, nw)
    top, left = (nh - rows) // 2, (nw - columns) // 2
    return resized[top : top + rows, left : left + columns]
