"""Stage report: gathers what the report says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tpuc.ir import Node
from tpuc.pipeline.correcting import correction_view
from tpuc.pipeline.gathered import Gathered
from tpuc.pipeline.layer_rows import layer_rows
from tpuc.pipeline.shared_scales import shared_scales
from tpuc.pipeline.smoothing import thresholds_note
from tpuc.reports import (
    Accuracy,
    Artifact,
    Cost,
    Fact,
    LayerRow,
    Mix,
    Note,
    ReportData,
    SearchedOp,
    SearchView,
)
from tpuc.search import SearchResult

__all__ = ["report_data"]


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
    if result is not None and _missed(result, wanted):
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


def _missed(result: SearchResult, wanted: float) -> bool:
    if result.method == "threshold":
        return False
    return result.cos <= wanted if result.goal is None else result.cos < result.goal


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
        **_raised(result),
        "stopped": result.stopped,
    }


def _raised(result: SearchResult) -> dict[str, Fact]:
    """Ops that got a wider type, by type."""
    if result.goal is not None:
        return {"int8_ops": result.float_ops}
    more: dict[str, Fact] = {"int8_ops": result.int8_ops} if result.int8_ops else {}
    return {"float_ops": result.float_ops, **more}


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
    front = tuple(Mix(p.float_ops, p.cost, p.cos, p.int8_ops) for p in result.front)
    low, high = ("quantized", "float") if result.goal is None else ("INT4", "INT8")
    if result.method == "pareto" and g.job.quantize.mode.name == "INT4":
        low, high = "in its smallest type", "raised"
    return SearchView(
        result.method,
        len(g.search_samples or ()),
        result.quantized_cos,
        result.cos,
        g.job.search.expected_cos if result.goal is None else result.goal,
        ops,
        tuple(result.scores.items()),
        front,
        result.stopped,
        low,
        high,
        (*result.int8_ops, *result.float_ops),
    )


def _decided(g: Gathered) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for name, choice in g.choices.choices.items():
        found.setdefault(choice.source or "user", []).append(name)
    return tuple((source, tuple(names)) for source, names in found.items())


def _cost(g: Gathered, layers: Sequence[LayerRow]) -> Cost:
    weights = [v for n in g.lowered.nodes for v in n.inputs if v is not None and v.is_weight]
    line = g.timeline
    return Cost(
        sum(row.macs for row in layers),
        sum(v.size * v.dtype.bits // 8 for v in dict.fromkeys(weights)),
        sum(v.size * 4 for v in g.top.weights()),
        g.instruction_bytes,
        line.cycles if line else None,
        line.cycles / line.clock_mhz / 1e3 if line and line.clock_mhz else None,
    )


def report_data(g: Gathered, artifacts: Sequence[Artifact]) -> ReportData:
    """Everything the report says."""
    twins = {n.name: n for n in g.lowered.nodes}
    layers = layer_rows(g, twins)
    shared = shared_scales(g.top, g.lowered, g.table, g.processor.float_type)
    notes = [*g.notes, *shared]
    if g.calibrated and g.calibrated.zeros:
        notes.append(Note("all-zero tensors", "zero in every sample", g.calibrated.zeros))
    notes += thresholds_note(g.job)
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
        correction=correction_view(
            g.corrected_before, (g.chosen_first, g.corrected), len(g.choosing_samples or ())
        ),
        task=g.task,
        timeline=g.timeline,
    )
