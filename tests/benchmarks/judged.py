"""Pictures to learn from and pictures to judge on, and how near a build is to float on the latter.

Half of the pictures calibrate. The other half judges: each whole, in ten crops, and all mirrored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from tpuc.dataset import select_files
from tpuc.ir import Graph
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine, Program

__all__ = ["Judged", "Nearness", "pixels"]

_SHARES = (0.75, 0.875)
_PLACES = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5))
_BATCH = 8


def pixels(picture: np.ndarray) -> np.ndarray:
    """What EfficientNet-Lite0 takes: (3, 224, 224), (rgb - 127) / 128."""
    small = cv2.resize(picture, (224, 224))[:, :, ::-1].transpose(2, 0, 1)
    return (small.astype(np.float32) - np.float32(127)) * np.float32(0.0078125)


def _views(picture: np.ndarray) -> Iterator[np.ndarray]:
    height, width = picture.shape[:2]
    views = [picture]
    for share in _SHARES:
        tall, wide = int(height * share), int(width * share)
        for down, right in _PLACES:
            top, left = int((height - tall) * down), int((width - wide) * right)
            views.append(picture[top : top + tall, left : left + wide])
    for view in views:
        yield view
        yield view[:, ::-1]


@dataclass(frozen=True)
class Nearness:
    """Mean cosine of the outputs, and share of views with the same first class as float."""

    cos: float
    agreement: float

    def __str__(self) -> str:
        return f"{100 * self.agreement:.2f} %, {self.cos:.5f}"


class Judged:
    """The two halves of a folder of pictures."""

    def __init__(self, folder: Path, graph: Graph) -> None:
        files = [f[0] if isinstance(f, tuple) else f for f in select_files(folder, None)]
        half = len(files) // 2
        self.learn, self._judge = files[:half], files[half:]
        self._graph = graph

    @cached_property
    def learned(self) -> np.ndarray:
        """Pictures to calibrate with, (N, 3, 224, 224)."""
        return np.stack([pixels(cv2.imread(str(f))) for f in self.learn])

    @cached_property
    def views(self) -> np.ndarray:
        """Pictures to judge on, (N, 3, 224, 224)."""
        read = (cv2.imread(str(f)) for f in self._judge)
        return np.stack([pixels(view) for picture in read for view in _views(picture)])

    @cached_property
    def truth(self) -> np.ndarray:
        """Float outputs of the views."""
        engine = FloatEngine(float_twin(self._graph), 2)
        return self._run(lambda x: engine.run({self._graph.inputs[0].name: x}))

    def _run(self, run: Callable[[np.ndarray], dict[str, np.ndarray]]) -> np.ndarray:
        starts = range(0, len(self.views), _BATCH)
        parts = [next(iter(run(self.views[i : i + _BATCH]).values())) for i in starts]
        return np.concatenate(parts)

    def of(self, lowered: Graph) -> Nearness:
        """Nearness of a lowered network."""
        program = Program(lowered, 2)
        return self.nearness(self._run(lambda x: program.run({lowered.inputs[0].name: x})))

    def nearness(self, outputs: np.ndarray) -> Nearness:
        """Nearness of other outputs of the views."""
        a, b = self.truth.astype(np.float64), outputs.astype(np.float64)
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        agreement = float(np.mean(a.argmax(axis=1) == b.argmax(axis=1)))
        return Nearness(float(np.mean((a * b).sum(axis=1) / norms)), agreement)
