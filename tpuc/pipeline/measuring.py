"""Stage measure: the network's task on float, integer and mixed builds, over the same samples."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.artifacts import QuantizeTable
from tpuc.cache import StageCache
from tpuc.config import Job
from tpuc.dataset import Batch, Samples
from tpuc.evaluation.tasks import Record, Task, TaskResult
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.pipeline.gathered import Gathered
from tpuc.pipeline.lowering_job import lower_job
from tpuc.pipeline.tasks import Opened
from tpuc.progress import progress
from tpuc.reports import TaskPicture, TaskView

__all__ = ["measure", "task_view", "write_task"]

_BATCH = 4
_Run = Callable[[Batch], list[np.ndarray]]


@dataclass(frozen=True)
class _Build:
    name: str
    graph: Graph


def measure(
    job: Job, g: Gathered, opened: Opened, key: Mapping[str, Any], threads: int, cache: StageCache
) -> TaskResult:
    """Run every build over the task's samples; from the cache where possible.

    Parameters
    ----------
    key : mapping
        What identifies the graphs.
    """
    task, samples = opened.task, opened.samples
    facts = {**key, "samples": list(samples.digests), "task": task.name, **task.key()}

    def compute(folder: Path) -> None:
        found = _records(_builds(job, g), g.top, task, samples, threads)
        write_whole(folder / "records.json", json.dumps(found))

    place, cached = cache.get("measure", facts, compute)
    records = json.loads((place / "records.json").read_text())
    figures = {name: task.figures(found, records["float"]) for name, found in records.items()}
    return TaskResult(task.name, len(samples), figures, records, cached)


def _builds(job: Job, g: Gathered) -> list[_Build]:
    """The lowered networks: all in the build's own type where single ops differ, and as built."""
    mode = job.quantize.mode.name
    if mode == "F32" and not g.choices.choices:
        return []
    if not g.choices.choices:
        return [_Build(mode, g.lowered)]
    plain = lower_job(g, QuantizeTable())
    return [_Build(mode, plain.graph), _Build("mixed", g.lowered)]


def _records(
    builds: list[_Build], top: Graph, task: Task, samples: Samples, threads: int
) -> dict[str, list[Record]]:
    from tpuc.lowering import float_twin
    from tpuc.simulator import FloatEngine, Program

    real = FloatEngine(float_twin(top), threads)
    wanted = [v.name for v in top.outputs]
    runs: dict[str, _Run] = {
        "float": lambda batch: [real.run(batch, wanted)[name] for name in wanted]
    }
    for build in builds:
        runs[build.name] = _runner(Program(build.graph, threads), build.graph)
    found: dict[str, list[Record]] = {name: [] for name in runs}
    total = math.ceil(len(samples) / _BATCH)
    for batch in progress(samples.batches(_BATCH), total, f"measuring {task.name}"):
        for name, run in runs.items():
            first = len(found[name])
            left = len(samples) - first
            found[name] += task.read(first, [a[:left] for a in run(batch)])
    return found


def _runner(program: Any, graph: Graph) -> _Run:
    names = [v.name for v in graph.outputs]

    def run(batch: Batch) -> list[np.ndarray]:
        results = program.run(batch)
        return [results[name] for name in names]

    return run


def write_task(folder: Path, opened: Opened, result: TaskResult) -> list[str]:
    """Write `<task>.csv` and the pictures; their names."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(opened.task.table(result.records))
    names = [f"{result.task}.csv"]
    write_whole(folder / names[0], text.getvalue())
    for name, data in opened.draw(result).items():
        write_whole(folder / name, data)
        names.append(name)
    return names


def task_view(folder: Path, result: TaskResult, names: list[str]) -> TaskView:
    """What the report shows."""
    pictures = tuple(TaskPicture(n, (folder / n).read_bytes()) for n in names if n.endswith(".jpg"))
    figures = tuple((b, tuple(f.items())) for b, f in result.figures.items())
    return TaskView(result.task, result.samples, figures, names[0], pictures)
