"""A picture file as the network's input tensor: TPU-MLIR's preprocessing, by OpenCV.

    read (BGR) -> resize -> cut out the centre -> colour order -> (x - mean) * scale, in float32

Every step up to the last works on uint8, so the tensors equal TPU-MLIR's bit for bit.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from tpuc.errors import DataError
from tpuc.ir import Attr

__all__ = ["PICTURE_SUFFIXES", "placed", "preprocess_picture", "read_picture"]

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".jfif")

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_UNTURNED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_picture(path: Path, pixel_format: str) -> np.ndarray:
    """uint8 array (H, W, C); C in OpenCV's order (BGR), or gray, or RGBA.

    Raises
    ------
    DataError : the file is missing, empty, truncated, or not a picture
    """
    data = _bytes(path)
    size = _size_in_header(data)
    if size is not None and 0 in size:
        raise DataError(f"{path}: is {size[0]}x{size[1]} pixels; expected at least 1x1")
    if pixel_format == "rgba":
        picture = _rgba(data)
    else:
        flag = cv2.IMREAD_GRAYSCALE if pixel_format == "gray" else cv2.IMREAD_COLOR
        picture = _decode(data, flag)
    if picture is None or picture.size == 0:
        raise DataError(f"{path}: not a picture that OpenCV can read, or damaged")
    return picture if picture.ndim == 3 else picture[:, :, None]


def _size_in_header(data: bytes) -> tuple[int, int] | None:
    """Width and height as PNG and BMP files give them, or None."""
    for mark, form, place in ((b"\x89PNG\r\n\x1a\n", ">II", 16), (b"BM", "<ii", 18)):
        if data.startswith(mark) and len(data) >= place + 8:
            width, height = struct.unpack_from(form, data, place)
            return width, height
    return None


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such picture") from error
    except OSError as error:
        raise DataError(f"{path}: can not be read ({error.strerror})") from error
    if not data:
        raise DataError(f"{path}: the file is empty; expected a picture")
    # OpenCV fills the rest of a truncated JPEG with gray and says nothing. No marker can occur
    # inside a scan, so a whole file has an end marker behind its last scan.
    if data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise DataError(f"{path}: the JPEG file is truncated ({len(data)} bytes)")
    return data


def _decode(data: bytes, flag: int) -> np.ndarray | None:
    with contextlib.suppress(cv2.error):
        return cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    return None


def _rgba(data: bytes) -> np.ndarray | None:
    """A picture without an alpha channel is opaque."""
    picture = _decode(data, cv2.IMREAD_UNCHANGED)
    if picture is not None and picture.ndim == 3 and picture.shape[2] == 4:
        return cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
    picture = _decode(data, _UNTURNED)
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA)


def preprocess_picture(
    picture: np.ndarray, attrs: Mapping[str, Attr], size: tuple[int, int]
) -> np.ndarray:
    """One sample of a network's input, float32 (1, C, H, W) or (1, H, W, C).

    Parameters
    ----------
    picture : uint8 array (H, W, C)
    attrs : mapping
        Attributes of the Input op.
    size : (int, int)
        Height and width of the network's input.

    Raises
    ------
    DataError : the picture is so narrow that a side would have no pixel left
    """
    rows, columns = np.asarray(attrs["resize_dims"], int).tolist()
    if attrs["keep_aspect_ratio"] and attrs["keep_ratio_mode"] == "letterbox":
        resized = _letterbox(picture, rows, columns, attrs)
    elif attrs["keep_aspect_ratio"]:
        resized = _short_side(picture, rows, columns)
    else:
        resized = _resize(picture, rows, columns)
    top, left = rows // 2 - size[0] // 2, columns // 2 - size[1] // 2
    cut = resized[top : top + size[0], left : left + size[1]]
    if attrs["pixel_format"] == "rgb":
        cut = cut[:, :, ::-1]
    channels = cut.shape[2]
    mean = np.asarray(attrs["mean"], np.float32)[:channels]
    scale = np.asarray(attrs["scale"], np.float32)[:channels]
    if attrs["channel_format"] == "nchw":
        cut = cut.transpose(2, 0, 1)
        mean, scale = mean[:, None, None], scale[:, None, None]
    x = np.empty((1, *cut.shape), np.float32)
    np.subtract(cut, mean, out=x[0])
    np.multiply(x[0], scale, out=x[0])
    return x


def placed(
    picture: tuple[int, int], attrs: Mapping[str, Attr], size: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where `preprocess_picture` puts a picture: x_input = x_picture * scale + shift.

    Parameters
    ----------
    picture : (int, int)
        Width and height of the picture.
    size : (int, int)
        Height and width of the network's input.

    Returns
    -------
    (scale x, scale y), (shift x, shift y)
    """
    width, height = picture
    rows, columns = np.asarray(attrs["resize_dims"], int).tolist()
    cut = (columns // 2 - size[1] // 2, rows // 2 - size[0] // 2)
    if not attrs["keep_aspect_ratio"]:
        return (columns / width, rows / height), (-cut[0], -cut[1])
    box = attrs["keep_ratio_mode"] == "letterbox"
    factor = (min if box else max)(columns / width, rows / height)
    nh, nw = int(height * factor), int(width * factor)
    if not box:
        nh, nw = max(nh, rows), max(nw, columns)
    left, top = (columns - nw) // 2, (rows - nh) // 2
    if not box:
        left, top = -((nw - columns) // 2), -((nh - rows) // 2)
    elif attrs["pad_type"] != "center":
        left = top = 0
    return (nw / width, nh / height), (left - cut[0], top - cut[1])


def _resize(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    if rows < 1 or columns < 1:
        height, width = picture.shape[:2]
        raise DataError(
            f"a picture of {width}x{height} pixels would shrink to {columns}x{rows}; "
            "expected at least one pixel on each side"
        )
    resized = cv2.resize(picture, (columns, rows))
    return resized if resized.ndim == 3 else resized[:, :, None]


def _letterbox(
    picture: np.ndarray, rows: int, columns: int, attrs: Mapping[str, Attr]
) -> np.ndarray:
    height, width = picture.shape[:2]
    factor = min(columns / width, rows / height)
    nh, nw = int(height * factor), int(width * factor)
    inner = _resize(picture, nh, nw)
    canvas = np.full((rows, columns, picture.shape[2]), attrs["pad_value"], np.uint8)
    centred = attrs["pad_type"] == "center"
    top, left = ((rows - nh) // 2, (columns - nw) // 2) if centred else (0, 0)
    canvas[top : top + nh, left : left + nw] = inner
    return canvas


def _short_side(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    height, width = picture.shape[:2]
    factor = max(columns / width, rows / height)
    nh, nw = max(int(height * factor), rows), max(int(width * factor), columns)
    resized = _resize(picture, nh, nw)
    top, left = (nh - rows) // 2, (nw - columns) // 2
    return resized[top : top + rows, left : left + columns]
