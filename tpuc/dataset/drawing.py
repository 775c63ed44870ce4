"""Pictures with what a network said of them, as PNG or JPEG bytes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

__all__ = ["draw_boxes", "draw_lines", "encode"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_COLOURS = (
    (40, 40, 200),
    (160, 90, 0),
    (20, 120, 20),
    (150, 20, 150),
    (0, 100, 190),
    (110, 110, 0),
)
_LEAST = 360  # pixels of width that text needs


def draw_lines(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """The picture with lines of text in its upper left corner, white on black.

    Parameters
    ----------
    picture : uint8 array (H, W, C)
        BGR, RGBA or gray; small pictures are enlarged.
    """
    canvas = _bgr(picture)
    factor = max(1, -(-_LEAST // canvas.shape[1]))
    if factor > 1:
        canvas = cv2.resize(canvas, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    scale = max(0.4, canvas.shape[1] / 1000)
    bottom = 0
    for line in lines:
        text = line.encode("ascii", "replace").decode()
        (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
        top, bottom = bottom, bottom + height + below + 4
        cv2.rectangle(canvas, (0, top), (width + 8, bottom), (0, 0, 0), -1)
        cv2.putText(
            canvas, text, (4, bottom - below - 1), _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA
        )
    return canvas


def encode(picture: np.ndarray) -> bytes:
    """JPEG file of a BGR picture."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def _bgr(picture: np.ndarray) -> np.ndarray:
    channels = picture.shape[2]
    if channels == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        return cv2.cvtColor(picture, cv2.COLOR_RGBA2BGR)
    return np.ascontiguousarray(picture).copy()


def draw_boxes(
    picture: np.ndarray,
    boxes: Sequence[Sequence[float]],
    names: Sequence[str],
    title: str = "",
) -> np.ndarray:
    """The picture with boxes, their classes and scores.

    Parameters
    ----------
    boxes : sequence of (left, top, right, bottom, score, class)
        In pixels of the picture; small pictures are enlarged.
    """
    canvas = _bgr(picture)
    factor = max(1, -(-_LEAST // canvas.shape[1]))
    if factor > 1:
        canvas = cv2.resize(canvas, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    scale = max(0.4, canvas.shape[1] / 1400)
    for left, top, right, bottom, score, kind in boxes:
        colour = _COLOURS[int(kind) % len(_COLOURS)]
        corners = [round(v * factor) for v in (left, top, right, bottom)]
        cv2.rectangle(canvas, corners[:2], corners[2:], colour, 2)
        text = f"{names[int(kind)]} {score:.2f}".encode("ascii", "replace").decode()
        (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
        low = max(corners[1], height + below)
        cv2.rectangle(
            canvas, (corners[0], low - height - below), (corners[0] + width, low), colour, -1
        )
        at = (corners[0], low - below + 1)
        cv2.putText(canvas, text, at, _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    if title:
        cv2.putText(canvas, title, (4, canvas.shape[0] - 6), _FONT, 0.6, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(
            canvas, title, (4, canvas.shape[0] - 6), _FONT, 0.6, (255, 255, 255), 1, cv2.LINE_AA
        )
    return canvas
