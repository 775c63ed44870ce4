"""A task with its samples, and what it is opened from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tpuc.config import Job
from tpuc.dataset import Samples, open_samples, select_files
from tpuc.errors import ConfigError
from tpuc.evaluation.tasks import Task, TaskResult
from tpuc.ir import Graph

__all__ = ["OpenInputs", "Opened", "no_pictures"]


@dataclass(frozen=True)
class OpenInputs:
    """What a task may look at.

    Parameters
    ----------
    graph : Graph
        The float network.
    fresh : Samples, optional
        Samples of the dataset that chose nothing; used where `evaluation.path` is not set.
    zoo : Path
        Folder of the zoo.
    """

    job: Job
    graph: Graph
    fresh: Samples | None
    zoo: Path

    def path(self, key: str) -> Path | None:
        """Path of a key of the group, from the zoo where it says so."""
        from tpuc.zoo import resolve

        value = getattr(self.job.evaluation, key)
        return None if value is None else resolve(value, self.zoo)

    def samples(self) -> Samples:
        """Samples of `evaluation.path`, else the fresh ones, `evaluation.task_num` at most.

        Raises
        ------
        ConfigError : there are none
        """
        path = self.path("path")
        found = (
            open_samples(select_files(path, None), self.graph) if path is not None else self.fresh
        )
        if found is None or not len(found):
            task = self.job.evaluation.task.name
            raise ConfigError(
                f"evaluation.path: not set; evaluation.task={task} needs samples. "
                "Hint: evaluation.path=FOLDER"
            )
        return found[: self.job.evaluation.task_num or None]


def no_pictures(result: TaskResult) -> Mapping[str, bytes]:
    """For tasks without pictures."""
    return {}


@dataclass(frozen=True)
class Opened:
    """A task that can be measured.

    Parameters
    ----------
    draw : callable
        Pictures for the run folder: name (`.jpg`) to bytes of the file.
    """

    task: Task
    samples: Samples
    draw: Callable[[TaskResult], Mapping[str, bytes]] = no_pictures
