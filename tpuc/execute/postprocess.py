"""YoloDetection: boxes of a detector decoded and suppressed, as TPU-MLIR's CPU op does it.

The result is (1, 1, samples * keep_topk, 7): sample, class, score, centre x, centre y, width,
height, best first within a sample; rows that are not needed are 0. Which form the inputs have
follows from `version` and their rank:

    yolov5, v7   (B, N, 5 + C)    score = object * class, object > limit, score >= limit
    yolov8, v11  (B, 4 + C, N)    score = class >= limit
    yolov5       grids of logits  score > limit; without any box the first row is -1 from column 1

Of two boxes of a class with IoU >= nms_threshold the better one stays.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tpuc.execute.registry import kernel
from tpuc.ir import Node

__all__: list[str] = []

_Found = tuple[np.ndarray, np.ndarray, np.ndarray]  # centred boxes (N, 4), scores, classes


@kernel("YoloDetection")
def _yolo_detection(node: Node, *inputs: Tensor) -> Tensor:
    arrays = [np.ascontiguousarray(x.numpy(), np.float32) for x in inputs]
    out = np.zeros(node.output.shape, np.float32)
    together = len(arrays[0]) // len(out)
    for run, rows in enumerate(out[:, 0]):
        _fill(node, [a[run * together : (run + 1) * together] for a in arrays], rows)
    return torch.from_numpy(out)


def _fill(node: Node, arrays: list[np.ndarray], rows: np.ndarray) -> None:
    """Boxes of the samples of one run into its table."""
    version, limit = str(node.attrs["version"]), np.float32(node.number("obj_threshold"))
    count = 0
    for sample in range(len(arrays[0])):
        parts = [a[sample] for a in arrays]
        if len(parts) > 1 or parts[0].ndim == 3:
            found = _grids(node, parts, limit)
        elif version in ("yolov5", "yolov7"):
            found = _decoded(parts[0], limit)
        else:
            found = _scored(parts[0], limit)
        boxes, scores, classes = _suppressed(node, found)
        end = count + len(boxes)
        rows[count:end, 0] = sample
        rows[count:end, 1], rows[count:end, 2], rows[count:end, 3:] = classes, scores, boxes
        count = end
    if count == 0 and (len(arrays) > 1 or arrays[0].ndim == 4):
        rows[: len(arrays[0]), 1:] = -1
        rows[: len(arrays[0]), 0] = np.arange(len(arrays[0]))


def _scored(x: np.ndarray, limit: np.float32) -> _Found:
    """(4 + C, N). Classes are tried in order; each that is the best so far makes a candidate."""
    scores = x[4:].T
    best = np.maximum.accumulate(scores, axis=1)
    first = np.concatenate((np.full((len(scores), 1), -np.inf), best[:, :-1]), 1)
    at = np.where(scores > first, np.arange(scores.shape[1]), 0)
    kinds = np.maximum.accumulate(at, axis=1)
    places, classes = np.nonzero(best >= limit)
    return x[:4, places].T, best[places, classes], kinds[places, classes]


def _decoded(x: np.ndarray, limit: np.float32) -> _Found:
    """(N, 5 + C)."""
    products = x[:, 4:5] * x[:, 5:]
    classes = products.argmax(1)
    scores = products[np.arange(len(x)), classes]
    kept = (x[:, 4] > limit) & (scores >= limit)
    return x[kept, :4], scores[kept], classes[kept]


def _grids(node: Node, parts: list[np.ndarray], limit: np.float32) -> _Found:
    """Logits (anchors * (5 + C), H, W), finest grid first.

    s = sigmoid(logit): centre = (2 s - 0.5 + cell) * stride, size = (2 s)^2 * anchor
    """
    anchors = np.array(node.attrs["anchors"], np.float64).reshape(len(parts), -1, 2)
    size = (node.integer("net_input_w"), node.integer("net_input_h"))
    found = [_grid(p, a, size, limit) for p, a in zip(parts, anchors)]
    boxes, scores, classes = (np.concatenate(v) for v in zip(*found))
    return boxes, scores, classes


def _grid(x: np.ndarray, anchors: np.ndarray, size: tuple[int, int], limit: np.float32) -> _Found:
    channels, height, width = x.shape
    cells = x.reshape(len(anchors), channels // len(anchors), height, width)
    flat = cells.transpose(2, 3, 0, 1).reshape(height * width * len(anchors), -1)
    least = np.float32(-np.log(1 / np.float32(limit) - 1))
    kept = np.flatnonzero(flat[:, 4] > least)
    rows = flat[kept]
    classes = rows[:, 5:].argmax(1)
    best = rows[np.arange(len(rows)), 5 + classes]
    box, sure, best = _sigmoid(rows[:, :4]), _sigmoid(rows[:, 4]), _sigmoid(best)
    scores = sure * best
    place, anchor = kept // len(anchors), kept % len(anchors)
    cell = np.stack((place % width, place // width), 1).astype(np.float32)
    stride = np.array([width, height])
    centre = ((cell + box[:, :2] * 2).astype(np.float64) - 0.5) * np.array(size) / stride
    sides = (box[:, 2:] * 2) * (box[:, 2:] * 2) * anchors[anchor]
    boxes = np.concatenate((centre, sides), 1).astype(np.float32)
    high = scores > limit
    return boxes[high], scores[high], classes[high]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x) in float32, its exponential rounded right, as C's expf nearly always is."""
    one = np.float32(1)
    return one / (one + np.exp(-x.astype(np.float64)).astype(np.float32))


def _suppressed(node: Node, found: _Found) -> _Found:
    boxes, scores, classes = found
    order = np.argsort(-scores, kind="stable")
    boxes, scores, classes = boxes[order], scores[order], classes[order]
    alive = np.ones(len(boxes), bool)
    limit = np.float32(node.number("nms_threshold"))
    for index in range(len(boxes)):
        if alive[index]:
            after = slice(index + 1, None)
            same = classes[after] == classes[index]
            alive[after] &= ~(same & (_iou(boxes[index], boxes[after]) >= limit))
    kept = np.flatnonzero(alive)[: node.integer("keep_topk")]
    return boxes[kept], scores[kept], classes[kept]


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    half = np.float32(0.5)
    low = np.maximum(box[:2] - box[2:] * half, others[:, :2] - others[:, 2:] * half)
    high = np.minimum(box[:2] + box[2:] * half, others[:, :2] + others[:, 2:] * half)
    sides = high - low
    shared = np.where((sides < 0).any(1), np.float32(0), sides[:, 0] * sides[:, 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return shared / (box[2] * box[3] + others[:, 2] * others[:, 3] - shared)
