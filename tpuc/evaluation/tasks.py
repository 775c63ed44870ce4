"""What a network is for, measured: one record a sample and build, and figures from the records.

A task sees the outputs of one run at a time and keeps plain values, so that samples stream and
results can be cached as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

__all__ = ["Record", "Records", "Rows", "Task", "TaskResult"]

Record = dict[str, Any]
"""What a build said of one sample: JSON's values only."""

Records = Mapping[str, Sequence[Record]]
"""Records by build, in the order of the samples."""

Rows = list[list[Any]]
"""A table; its first row is the header."""


class Task(Protocol):
    """One way to judge a network.

    Attributes
    ----------
    name : str
        As in `evaluation.task`; names the csv file.
    """

    name: str

    def key(self) -> dict[str, Any]:
        """JSON values that, with the samples and the build, decide the records."""

    def read(self, first: int, outputs: Sequence[np.ndarray]) -> list[Record]:
        """Records of the samples `first`, `first + 1`, ... of a batch.

        Parameters
        ----------
        outputs : list of ndarray, float32
            The network's outputs, in its order, with the batch along the first axis.
        """

    def figures(self, records: Sequence[Record], real: Sequence[Record]) -> dict[str, float]:
        """Figures of one build over all samples, by name.

        Parameters
        ----------
        real : list of Record
            What the float network said of the same samples.
        """

    def table(self, records: Records) -> Rows:
        """The content of `<task>.csv`."""


@dataclass(frozen=True)
class TaskResult:
    """Figures and records of every build over the same samples.

    Parameters
    ----------
    figures : dict of build to dict of figure to value
        `float`, then the integer build, then the mixed one where there are three.
    cached : bool
    """

    task: str
    samples: int
    figures: dict[str, dict[str, float]]
    records: dict[str, list[Record]] = field(default_factory=dict)
    cached: bool = False
