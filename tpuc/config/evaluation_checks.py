"""Checks of the group `evaluation`: which keys a task needs, and which have no meaning for it."""

from __future__ import annotations

from tpuc.config.schema import Job
from tpuc.errors import ConfigError

__all__ = ["check_evaluation"]

_TASKS_OF = {
    "labels": ("classification",),
    "classes": ("classification",),
    "annotations": ("detection",),
}


def check_evaluation(job: Job) -> None:
    """Check the task and its keys.

    Raises
    ------
    ConfigError : a key is missing, out of range, or belongs to another task
    """
    config, task = job.evaluation, job.evaluation.task.name
    for key, tasks in _TASKS_OF.items():
        if getattr(config, key) is not None and task not in tasks:
            raise ConfigError(
                f"evaluation.{key}: has no meaning with evaluation.task={task}. "
                f"Hint: evaluation={tasks[0]}"
            )
    if config.pooling.name != "none" and task != "embedding":
        raise ConfigError(
            f"evaluation.pooling: has no meaning with evaluation.task={task}. "
            "Hint: evaluation=embedding"
        )
    for key in ("min_score", "max_iou"):
        value = getattr(config, key)
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"evaluation.{key}: {value}; expected 0 to 1")
    if task == "detection" and config.annotations is None:
        raise ConfigError(
            "evaluation.annotations: not set; evaluation.task=detection needs a json file in "
            "COCO's format. Hint: evaluation.annotations=instances_val2017.json"
        )
    if task == "detection" and config.path is None:
        raise ConfigError(
            "evaluation.path: not set; evaluation.task=detection needs the folder of the pictures "
            "that evaluation.annotations names. Hint: evaluation.path=val2017"
        )
