"""What detectors put out, as boxes: decode, suppress, undo the letterbox. Pure functions.

Boxes are float32 (N, 6): left, top, right, bottom in pixels of the network's input, score and
class.

Forms that are understood, told apart by their shapes and the number of classes C:

    (B, 4 + C, N)                centre, size, scores of the classes   YOLOv8, v9, v11, v12
    (B, N, 5 + C)                centre, size, object, classes         YOLOv5, v6 and v7, decoded
    (B, 3 * (5 + C), H, W) or (B, 3, H, W, 5 + C), a grid each         YOLOv5: logits
    (B, N, 6)                    corners, score, class                 YOLOv10, 26: suppressed
    (B, 1, N, 7)                 sample, class, score, centre, size    model.add_postprocess
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.errors import DataError

__all__ = ["Letterbox", "decode", "iou", "suppress", "to_picture"]

# Anchors of YOLOv5 as published: width, height in pixels, three a grid, finest grid first.
_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
_CANDIDATES = 30_000  # at most, before suppression


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in the network's input: x_input = x_picture * scale + shift."""

    scale: tuple[float, float]
    shift: tuple[float, float]
    size: tuple[int, int]  # width, height of the picture


def decode(
    outputs: Sequence[np.ndarray], classes: int, size: tuple[int, int], min_score: float
) -> list[np.ndarray]:
    """Boxes of each sample of a batch, before suppression.

    Parameters
    ----------
    outputs : list of float32 arrays
        All outputs of the network.
    classes : int
    size : (int, int)
        Height and width of the network's input.
    min_score : float
        Boxes below are left out.

    Raises
    ------
    DataError : no known form
    """
    first = outputs[0]
    if first.ndim == 4 and first.shape[-1] == 7 and len(outputs) == 1:
        return _postprocessed(first, min_score)
    if first.ndim == 3 and first.shape[1] == 4 + classes and len(outputs) == 1:
        x = first.transpose(0, 2, 1)
        return [_scored(v[:, :4], v[:, 4:], min_score) for v in x]
    if first.ndim == 3 and first.shape[2] == 5 + classes:
        return [_scored(v[:, :4], v[:, 4:5] * v[:, 5:], min_score) for v in first]
    if first.ndim == 3 and first.shape[2] == 6 and len(outputs) == 1:
        return [v[v[:, 4] >= min_score] for v in first]
    grids = [_grid(o, classes) for o in outputs]
    if 1 <= len(grids) <= 3 and all(g is not None for g in grids):
        return _anchored([g for g in grids if g is not None], size, min_score)
    raise DataError(
        f"evaluation.task=detection: outputs of shape {[list(o.shape) for o in outputs]} are no "
        f"boxes of {classes} classes; expected [B, {4 + classes}, N], [B, N, {5 + classes}], "
        f"up to three [B, {3 * (5 + classes)}, H, W], [B, N, 6], or model.add_postprocess"
    )


def _scored(centred: np.ndarray, scores: np.ndarray, min_score: float) -> np.ndarray:
    """Every class above the limit makes a box."""
    places, kinds = np.nonzero(scores >= min_score)
    found = scores[places, kinds]
    if len(found) > _CANDIDATES:
        best = np.argsort(-found, kind="stable")[:_CANDIDATES]
        places, kinds, found = places[best], kinds[best], found[best]
    corners = _corners(centred[places])
    return np.column_stack((corners, found, kinds)).astype(np.float32)


def _corners(centred: np.ndarray) -> np.ndarray:
    half = centred[:, 2:] / 2
    return np.concatenate((centred[:, :2] - half, centred[:, :2] + half), 1)


def _postprocessed(rows: np.ndarray, min_score: float) -> list[np.ndarray]:
    """A table for each sample; rows that are not needed have no score."""
    found = []
    for table in rows[:, 0]:
        real = table[table[:, 2] >= max(min_score, 1e-9)]
        found.append(np.column_stack((_corners(real[:, 3:7]), real[:, 2], real[:, 1])))
    return found


def _grid(output: np.ndarray, classes: int) -> np.ndarray | None:
    """A grid of logits as (B, 3, H, W, 5 + classes)."""
    if output.ndim == 5 and output.shape[1] == 3 and output.shape[4] == 5 + classes:
        return output
    if output.ndim != 4 or output.shape[1] != 3 * (5 + classes):
        return None
    batch, _, height, width = output.shape
    return output.reshape(batch, 3, 5 + classes, height, width).transpose(0, 1, 3, 4, 2)


def _anchored(grids: list[np.ndarray], size: tuple[int, int], min_score: float) -> list[np.ndarray]:
    """Decode as YOLOv5: centre = (2 s - 0.5 + cell) * stride, size = (2 s)^2 * anchor."""
    parts: list[list[np.ndarray]] = [[] for _ in grids[0]]
    for grid, anchors in zip(sorted(grids, key=lambda g: -g.shape[2]), _ANCHORS):
        height, width = grid.shape[2:4]
        stride = np.array([size[1] / width, size[0] / height], np.float32)
        x = 1 / (1 + np.exp(-grid.astype(np.float32)))
        cells = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
        scale = np.array(anchors, np.float32)[:, None, None]
        centre = (x[..., :2] * 2 - 0.5 + cells) * stride
        centred = np.concatenate((centre, (x[..., 2:4] * 2) ** 2 * scale), -1)
        for part, box, scores in zip(parts, centred, x[..., 4:5] * x[..., 5:]):
            flat = scores.reshape(-1, scores.shape[-1])
            part.append(_scored(box.reshape(-1, 4), flat, min_score))
    return [np.concatenate(part) for part in parts]


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with others (N, 4), corners."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    area = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return shared / np.maximum(area, 1e-9)


def suppress(boxes: np.ndarray, max_iou: float, most: int) -> np.ndarray:
    """The boxes, best first, without those that overlap a better one of their class.

    Parameters
    ----------
    max_iou : float
        A box goes when its IoU with a better one is larger.
    most : int
        Boxes kept.
    """
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept: list[np.ndarray] = []
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(best)
        near = (left[:, 5] == best[5]) & (iou(best[:4], left[:, :4]) > max_iou)
        left = left[~near]
    return np.array(kept, np.float32).reshape(-1, 6)


def to_picture(boxes: np.ndarray, place: Letterbox) -> np.ndarray:
    """Boxes in pixels of the picture, cut to it."""
    found = boxes.copy()
    found[:, 0:4:2] = (boxes[:, 0:4:2] - place.shift[0]) / place.scale[0]
    found[:, 1:4:2] = (boxes[:, 1:4:2] - place.shift[1]) / place.scale[1]
    found[:, 0:4:2] = np.clip(found[:, 0:4:2], 0, place.size[0])
    found[:, 1:4:2] = np.clip(found[:, 1:4:2], 0, place.size[1])
    return found
