"""What the stages of a run leave for its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.config import Job
from tpuc.dataset import Samples
from tpuc.evaluation.tasks import TaskResult
from tpuc.ir import Graph
from tpuc.pipeline.calibrating import Calibrated
from tpuc.pipeline.correcting import CorrectedBuild
from tpuc.pipeline.deciding import Decided
from tpuc.pipeline.evaluating import Evaluated
from tpuc.pipeline.searching import Searched
from tpuc.pipeline.smoothing import Step
from tpuc.processors import Processor
from tpuc.reports import Delegate, Note, TaskView, Timeline, Timing

__all__ = ["Gathered"]


@dataclass
class Gathered:
    """What the stages left for the report."""

    job: Job
    processor: Processor
    name: str
    model: Path
    top: Graph
    lowered: Graph
    reasons: Mapping[str, str]
    calibrated: Calibrated | None = None
    table: CalibrationTable | None = None
    choices: QuantizeTable = field(default_factory=QuantizeTable)
    decided: Decided | None = None
    searched: Searched | None = None
    search_samples: Samples | None = None
    corrected_before: tuple[Step, ...] = ()
    chosen_first: CorrectedBuild | None = None
    corrected: CorrectedBuild | None = None
    correction_samples: Samples | None = None
    choosing_samples: Samples | None = None
    corrected_with: int = 0
    evaluated: Evaluated | None = None
    measured: TaskResult | None = None
    task: TaskView | None = None
    task_files: list[str] = field(default_factory=list)
    task_samples: Samples | None = None
    delegate: Delegate | None = None
    instruction_bytes: int | None = None
    timeline: Timeline | None = None
    calibration_samples: Samples | None = None
    evaluation_samples: Samples | None = None
    timings: list[Timing] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    command: str = "tpuc"
