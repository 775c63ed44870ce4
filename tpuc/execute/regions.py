"""Ops of regions of interest: RoiAlign and Nms, step by step in float32.

RoiAlign samples a picture bilinearly at gh x gw places in each of ph x pw bins of a region. With
extents e (in pixels of the picture), bin b = e * (1 / ph), step s = b / gh:

    y(bin, i) = start + bin * b + s / 2 + s + s ...  (i times)

    Avg    sum of the samples, line by line, * (1 / (gh * gw))
    Max    largest product of a neighbour and its weight, as onnxruntime and ONNX's own evaluator
           have it (TPU-MLIR takes that of whole samples, 1.2e-38 at least, and makes no code of it)

Nms keeps boxes of each class by falling score, of equal ones the first, unless the IoU with one
kept before is above the limit. Its rows are (sample, class, box); those not needed are -1.
"""

from __future__ import annotations

import numpy as np
import torch

from tpuc.errors import DataError
from tpuc.execute.registry import Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []

_ONE = np.float32(1)
_Along = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # low, high, weight of each


@kernel("RoiAlign")
def _roi_align(node: Node, x: Tensor, rois: Tensor) -> Tensor:
    pictures, regions = x.numpy(), rois.numpy().astype(np.float32)
    out = np.zeros(node.output.shape, np.float32)
    for index, region in enumerate(regions):
        number = int(region[0])
        if not 0 <= number < len(pictures):
            raise DataError(
                f"{node}: region {index} is of picture {number}; expected 0 to {len(pictures) - 1}"
            )
        out[index] = _sampled(node, pictures[number], region[1:])
    return torch.from_numpy(out)


def _sampled(node: Node, picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(C, ph, pw) of one region (x1, y1, x2, y2)."""
    half = node.flag("align_corners")
    corners = region * np.float32(node.number("spatial_scale")) - np.float32(0.5 if half else 0)
    extents = corners[2:] - corners[:2]
    if not half:
        extents = np.maximum(extents, _ONE)
    ratio, (height, width) = node.integer("sampling_ratio"), picture.shape[1:]
    across = _along(corners[0], extents[0], node.integer("output_width"), ratio, width)
    down = _along(corners[1], extents[1], node.integer("output_height"), ratio, height)
    shape = (len(picture), *down[0].shape, *across[0].shape)
    terms = []
    for y in (0, 1):
        for x in (0, 1):
            near = picture[:, down[y].reshape(-1)][:, :, across[x].reshape(-1)]
            weight = down[2 + y].reshape(-1, 1) * across[2 + x].reshape(-1)
            terms.append((weight * near).reshape(shape))
    return _pooled(node.text("mode") == "Max", terms)


def _along(start: np.float32, extent: np.float32, bins: int, ratio: int, size: int) -> _Along:
    """Neighbours and weights of the samples along one axis, each (bins, samples)."""
    width = extent * (_ONE / np.float32(bins))
    count = ratio if ratio > 0 else max(int(np.ceil(width)), 0)
    places = np.zeros((bins, count), np.float32)
    if count:
        step = width / np.float32(count)
        at = np.arange(bins, dtype=np.float32) * width + start + step * np.float32(0.5)
        for index in range(count):
            places[:, index] = at
            at = at + step
    inside = (places >= -1) & (places <= size)
    clamped = np.clip(places, np.float32(0), np.float32(size - 1))
    low = clamped.astype(np.int64)
    part = clamped - low.astype(np.float32)
    return low, np.minimum(low + 1, size - 1), (_ONE - part) * inside, part * inside


def _pooled(largest: bool, terms: list[np.ndarray]) -> np.ndarray:
    """Samples (C, ph, gh, pw, gw), as four products each, to (C, ph, pw)."""
    channels, ph, gh, pw, gw = terms[0].shape
    total = np.zeros((channels, ph, pw), np.float32)
    if gh * gw == 0:
        return total
    if largest:
        most: np.ndarray = np.max(terms, axis=0)
        return most.max(axis=(2, 4))
    samples = terms[0] + terms[1] + terms[2] + terms[3]
    for line in range(gh):
        for place in range(gw):
            total += samples[:, :, line, :, place]
    return total * (_ONE / np.float32(gh * gw))


@kernel("Nms")
def _nms(node: Node, boxes: Tensor, scores: Tensor, _most: Tensor, *limits: Tensor) -> Tensor:
    overlap, least = (np.float32(v.reshape(-1)[0].item()) for v in limits)
    most, out = node.integer("max_output_size"), np.full(node.output.shape, -1, np.float32)
    row = 0
    for sample, (places, classes) in enumerate(zip(boxes.numpy(), scores.numpy())):
        edges = _edges(places, node.integer("center_point_box") == 1)
        for kind, score in enumerate(classes):
            for box in _kept(edges, score, overlap, least)[:most]:
                out[row] = sample, kind, box
                row += 1
    return torch.from_numpy(out)


def _edges(boxes: np.ndarray, centred: bool) -> np.ndarray:
    """(2, N, 2): the lower and the upper corners."""
    first, second = boxes[:, :2], boxes[:, 2:]
    if centred:
        half = second / np.float32(2)
        return np.stack((first - half, first + half))
    return np.stack((np.minimum(first, second), np.maximum(first, second)))


def _kept(
    edges: np.ndarray, score: np.ndarray, overlap: np.float32, least: np.float32
) -> list[int]:
    order = np.argsort(-score, kind="stable")
    waiting, kept = order[score[order] > least], []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        waiting = waiting[~(_iou(edges, best, waiting) > overlap)]
    return kept


def _iou(edges: np.ndarray, box: int, others: np.ndarray) -> np.ndarray:
    """0 where two boxes do not share an area."""
    low, high = edges
    sides = np.minimum(high[box], high[others]) - np.maximum(low[box], low[others])
    areas = (high - low).prod(axis=1)
    shared = sides.prod(axis=1)
    union = areas[box] + areas[others] - shared
    fit = (sides > 0).all(axis=1) & (areas[box] > 0) & (areas[others] > 0) & (union > 0)
    return np.where(fit, shared, 0) / np.where(fit, union, 1)
