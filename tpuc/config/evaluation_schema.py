"""Keys of the group `evaluation`, with types and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["EvaluationConfig", "Pooling", "Task"]


class Task(Enum):
    """What is measured besides similarity."""

    none = "none"
    classification = "classification"
    detection = "detection"
    embedding = "embedding"


class Pooling(Enum):
    """How a network's vectors of words become one of the sample."""

    none = "none"
    first = "first"
    mean = "mean"


@dataclass
class EvaluationConfig:
    """Samples on which the lowered network is held against the float one, and the network's task.

    `input_num` samples are compared layer by layer; the task is measured on `task_num` (0: all).
    """

    task: Task = Task.none
    path: str | None = None
    input_num: int = 20
    expected_cos: float | None = None
    task_num: int = 0
    labels: str | None = None
    classes: str | None = None
    annotations: str | None = None
    min_score: float = 0.001
    max_iou: float = 0.6
    max_boxes: int = 300
    pooling: Pooling = Pooling.none
    pictures: int = 6
