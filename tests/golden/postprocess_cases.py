"""Outputs of detectors, drawn from a seed, and which decoding they are for."""

from __future__ import annotations

import numpy as np

__all__ = ["CASES", "SIDE", "heads"]

SIDE = 64
CASES = ("yolov5", "yolov5_grids", "yolov5_grids_none", "yolov8", "yolov11")


def heads(name: str) -> list[np.ndarray]:
    """Arrays that a network of this case puts out, float32; many boxes overlap."""
    chance = np.random.default_rng(1684)
    if name.startswith("yolov5_grids"):
        level = -1.5 if name == "yolov5_grids" else -9.0
        return [(chance.normal(level, 2.0, (1, 255, n, n))).astype(np.float32) for n in (8, 4, 2)]
    centre = chance.uniform(10, 50, (60, 2))
    boxes = np.concatenate((centre, chance.uniform(8, 40, (60, 2))), 1)
    classes = chance.random((60, 4)) ** 2
    if name == "yolov5":
        rows = np.concatenate((boxes, chance.random((60, 1)) ** 0.3, classes**0.2), 1)
        return [rows[None].astype(np.float32)]
    return [np.concatenate((boxes, classes), 1).T[None].astype(np.float32)]
