"""Stage report: gathers what the report says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.config import Job
from tpuc.dataset import Samples
from tpuc.evaluation.tasks import TaskResult
from tpuc.ir import Graph, Node
from tpuc.ir.macs import macs_of
from tpuc.pipeline.calibrating import Calibrated
from tpuc.pipeline.correcting import CorrectedBuild, correction_view
from tpuc.pipeline.deciding import Decided
from tpuc.pipeline.evaluating import Evaluated
from tpuc.pipeline.searching import Searched
from tpuc.pipeline.smoothing import Step
from tpuc.processors import Processor
from tpuc.reports import (
    Accuracy,
    Artifact,
    Cost,
    Delegate,
    Fact,
    Histogram,
    LayerRow,
    Mix,
    Note,
    ReportData,
    SearchedOp,
    SearchView,
    TaskView,
    Timing,
    WeightRange,
)

__all__ = ["Gathered", "report_data"]


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
    calibration_samples: Samples | None = None
    evaluation_samples: Samples | None = None
    timings: list[Timing] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    command: str = "tpuc"


def _weight_bytes(node: Node) -> int:
    values = [v for v in node.inputs if v is not None and v.is_weight]
    return sum(v.size * v.dtype.bits // 8 for v in values)


def _weights(node: Node) -> WeightRange | None:
    if node.op not in ("Conv", "Deconv", "MatMul", "Scale") or len(node.inputs) < 2:
        return None
    value = node.inputs[1]
    if value is None or value.data is None:
        return None
    data = value.data
    rows = data.reshape(data.shape[0], -1)
    if node.op == "MatMul":
        rows = data.reshape(-1, data.shape[-1]).T
    channels = tuple(float(v) for v in np.abs(rows).max(axis=1))
    return WeightRange(float(data.min()), float(data.max()), channels)


def _layer(g: Gathered, node: Node, twins: Mapping[str, Node]) -> LayerRow:
    twin = twins.get(node.name)
    entry = g.table.ranges.get(node.name) if g.table else None
    known = g.evaluated.layers.get(node.name) if g.evaluated else None
    histogram = None
    if g.calibrated and g.job.report.histograms and node.name in g.calibrated.histograms:
        counts, high = g.calibrated.histograms[node.name]
        histogram = Histogram(counts, high)
    return LayerRow(
        node.name,
        node.op,
        (twin.output.dtype if twin else node.output.dtype).value,
        entry.threshold if entry else None,
        entry.min if entry else None,
        entry.max if entry else None,
        known[0] if known else None,
        known[1] if known else None,
        g.reasons.get(node.name, ""),
        tuple(v.name for v in node.activations),
        node.output.shape,
        macs_of(node),
        _weight_bytes(twin) if twin else 0,
        histogram,
        _weights(node),
    )


def _accuracy(g: Gathered) -> Accuracy:
    e, figures = g.evaluated, _task_figures(g)
    if e is None:
        return Accuracy(**figures)
    goal = g.job.evaluation.expected_cos
    mean = float(np.mean([o[0] for o in e.outputs]))
    missed: tuple[str, ...] = ()
    if goal is not None and mean < goal:
        missed = (f"output cosine {mean:.4f} is below evaluation.expected_cos={goal}",)
    result = g.searched.result if g.searched else None
    wanted = g.job.search.expected_cos
    if result is not None and result.method != "threshold" and result.cos <= wanted:
        missed += (f"the search reached {result.cos:.9g}; search.expected_cos={wanted}",)
    finite = [o[2] for o in e.outputs if o[2] is not None]
    return Accuracy(
        e.samples,
        mean,
        min(o[1] for o in e.outputs),
        float(np.mean(finite)) if finite else None,
        agreement_top1=e.agreement,
        **figures,
        overlap=_overlap(g),
        goals_missed=missed,
    )


def _task_figures(g: Gathered) -> dict[str, Any]:
    """The task's figures that a report's accuracy has: of float, and of the build itself."""
    if g.measured is None:
        return {}
    builds = list(g.measured.figures.values())
    known = ("top1", "top5", "map")
    found = {f"float_{k}": builds[0][k] for k in known if k in builds[0]}
    return found | {k: builds[-1][k] for k in known if k in builds[-1]}


def _overlap(g: Gathered) -> str:
    judges = g.task_samples if g.task_samples is not None else g.evaluation_samples
    if judges is None:
        return ""
    seen: list[str] = []
    for samples, what in (
        (g.calibration_samples, "calibrate"),
        (g.search_samples, "search"),
        (g.correction_samples, "correct"),
        (g.choosing_samples, "choose a correction"),
    ):
        both = len(set(samples.digests) & set(judges.digests)) if samples is not None else 0
        if both:
            seen.append(f"{both} of the {len(judges)} samples judged on were also used to {what}")
    return "; ".join([*seen, "set evaluation.path to judge on others."]) if seen else ""


def _model_facts(g: Gathered) -> dict[str, Fact]:
    return {
        "file": g.model.name,
        "inputs": tuple(f"{v.name} {list(v.shape)}" for v in g.top.inputs),
        "outputs": tuple(f"{v.name} {list(v.shape)}" for v in g.top.outputs),
        "ops": len(g.top.nodes),
    }


def _calibration_facts(g: Gathered) -> dict[str, Fact]:
    if g.table is None:
        return {}
    facts: dict[str, Fact] = {
        "method": g.table.method,
        "samples": g.table.sample_num,
        "histogram_bins": g.table.histogram_bins,
        "tune_num": g.table.tune_num,
    }
    if g.calibrated and len(g.calibrated.measured) > 1:
        facts["measured_in_one_pass"] = g.calibrated.measured  # its time is that of all of them
    return facts


def _search_facts(g: Gathered) -> dict[str, Fact]:
    if g.searched is None:
        return {"method": g.job.search.method.name}
    result = g.searched.result
    return {
        "method": result.method,
        "samples": len(g.search_samples or ()),
        "quantized_cos": result.quantized_cos,
        "cos": result.cos,
        "expected_cos": g.job.search.expected_cos,
        "max_float_layers": g.job.search.max_float_layers,
        "ops_searched": len(result.losses),
        "float_ops": result.float_ops,
        "stopped": result.stopped,
    }


def _search_view(g: Gathered, twins: Mapping[str, Node]) -> SearchView | None:
    if g.searched is None:
        return None
    result = g.searched.result
    ops = tuple(
        SearchedOp(
            row.name,
            row.type,
            row.loss,
            row.best.method,
            tuple((c.method, c.loss) for c in row.candidates),
            twins[row.name].output.dtype.value if row.name in twins else "",
        )
        for row in result.losses
    )
    front = tuple(Mix(p.float_ops, p.cost, p.cos) for p in result.front)
    return SearchView(
        result.method,
        len(g.search_samples or ()),
        result.quantized_cos,
        result.cos,
        g.job.search.expected_cos,
        ops,
        tuple(result.scores.items()),
        front,
        result.stopped,
    )


def _decided(g: Gathered) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for name, choice in g.choices.choices.items():
        found.setdefault(choice.source or "user", []).append(name)
    return tuple((source, tuple(names)) for source, names in found.items())


def _cost(g: Gathered, layers: Sequence[LayerRow]) -> Cost:
    weights = [v for n in g.lowered.nodes for v in n.inputs if v is not None and v.is_weight]
    return Cost(
        sum(row.macs for row in layers),
        sum(v.size * v.dtype.bits // 8 for v in dict.fromkeys(weights)),
        sum(v.size * 4 for v in g.top.weights()),
        g.instruction_bytes,
    )


def report_data(g: Gathered, artifacts: Sequence[Artifact]) -> ReportData:
    """Everything the report says."""
    twins = {n.name: n for n in g.lowered.nodes}
    layers = tuple(_layer(g, n, twins) for n in g.top.nodes)
    notes = list(g.notes)
    if g.calibrated and g.calibrated.zeros:
        notes.append(Note("all-zero tensors", "zero in every sample", g.calibrated.zeros))
    return ReportData(
        g.job.recipe,
        g.name,
        g.processor.name,
        g.job.quantize.mode.name,
        layers,
        _accuracy(g),
        _cost(g, layers),
        tuple(g.timings),
        tuple(artifacts),
        tuple(notes),
        g.command,
        _model_facts(g),
        {"mode": g.job.quantize.mode.name, "table": g.job.quantize.table or "none"},
        _calibration_facts(g),
        _search_facts(g),
        _search_view(g, twins),
        _decided(g),
        g.versions,
        delegate=g.delegate,
        correction=correction_view(g.corrected_before, g.corrected, len(g.choosing_samples or ())),
        task=g.task,
    )
