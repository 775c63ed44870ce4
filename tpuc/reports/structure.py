"""report.json and layers.csv: the report for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tpuc.reports.data import LayerRow, ReportData
from tpuc.reports.task_data import TaskView
from tpuc.reports.verdict import judge

__all__ = ["CSV_COLUMNS", "SCHEMA_VERSION", "build_report", "layers_csv", "plain"]

SCHEMA_VERSION = 1
CSV_COLUMNS = (
    *("name", "type", "dtype", "threshold", "min", "max", "cos", "sqnr_db"),
    *("reason", "shape", "macs", "weight_bytes"),
)


def build_report(data: ReportData) -> dict[str, Any]:
    """The content of report.json: plain values, None where a figure is unknown or not finite."""
    verdict = judge(data)
    return plain(
        {
            "schema_version": SCHEMA_VERSION,
            "recipe": data.recipe,
            "command": data.command,
            "model": {"name": data.model, **data.model_facts},
            "processor": data.processor,
            "quantize": {"mode": data.mode, **data.quantize_facts},
            "calibration": dict(data.calibration_facts),
            "search": {**data.search_facts, **(asdict(data.search) if data.search else {})},
            "correction": asdict(data.correction) if data.correction else None,
            "decided_by": dict(data.decided),
            "verdict": asdict(verdict),
            "accuracy": asdict(data.accuracy),
            "layers": [_layer(row) for row in data.layers],
            "cost": asdict(data.cost),
            "timings": [asdict(timing) for timing in data.timings],
            "artifacts": [asdict(artifact) for artifact in data.artifacts],
            "skipped": [asdict(note) for note in data.skipped],
            "tpu_mlir": asdict(data.delegate) if data.delegate else None,
            "task": _task(data.task),
            "versions": dict(data.versions),
        }
    )


def _layer(row: LayerRow) -> dict[str, Any]:
    content = asdict(row)
    del content["values"]
    return content


def _task(view: TaskView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    figures = {build: dict(found) for build, found in view.figures}
    pictures = [picture.name for picture in view.pictures]
    return {
        "name": view.task, "samples": view.samples, "figures": figures,
        "file": view.file, "pictures": pictures,
    }  # fmt: skip


def plain(value: Any) -> Any:
    """The value with tuples as lists, and None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def layers_csv(layers: tuple[LayerRow, ...]) -> str:
    """One line per op under `CSV_COLUMNS`; shapes as `1x3x8x8`, unknown figures empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in layers:
        cells = {**asdict(row), "shape": "x".join(map(str, row.shape))}
        writer.writerow(["" if cells[c] is None else cells[c] for c in CSV_COLUMNS])
    return text.getvalue()
