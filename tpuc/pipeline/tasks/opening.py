"""The task of a job."""

from __future__ import annotations

from pathlib import Path

from tpuc.config import Job
from tpuc.dataset import Samples
from tpuc.ir import Graph
from tpuc.pipeline.tasks.classification import open_classification
from tpuc.pipeline.tasks.detection import open_detection
from tpuc.pipeline.tasks.embedding import open_embedding
from tpuc.pipeline.tasks.opened import Opened, OpenInputs

__all__ = ["open_task"]

_TASKS = {
    "classification": open_classification,
    "detection": open_detection,
    "embedding": open_embedding,
}


def open_task(job: Job, graph: Graph, fresh: Samples | None, zoo: Path) -> Opened | None:
    """The task, with everything that can be checked before slow work; None if there is none.

    Raises
    ------
    ConfigError, DataError : samples, labels or annotations are missing or do not fit
    """
    if job.evaluation.task.name == "none":
        return None
    return _TASKS[job.evaluation.task.name](OpenInputs(job, graph, fresh, zoo))
