"""The end of a sweep: one row for each run, the failed ones too."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from tpuc.reports import Accuracy, Cost, SweepRow, write_sweep

__all__ = ["finish_sweep"]


def finish_sweep(folder: Path) -> None:
    """Write sweep.json and sweep.html from what the runs left in `folder`."""
    marks = sorted(folder.glob("*/sweep_row.json"), key=lambda p: (len(p.parent.name), p.parent))
    write_sweep(folder, tuple(_row(mark) for mark in marks))


def _row(mark: Path) -> SweepRow:
    said: dict[str, Any] = json.loads(mark.read_text())
    folder = mark.parent
    common = tuple(said["overrides"]), said["command"], folder.name
    report = folder / "report.json"
    if said["error"] or not report.is_file():
        return SweepRow(*common, status="failed", error=said["error"] or "stopped early")
    content: dict[str, Any] = json.loads(report.read_text())
    accuracy = _pick(Accuracy, content["accuracy"])
    bmodels = [p.stat().st_size for p in folder.glob("*.bmodel")]
    return SweepRow(
        *common,
        status="goal missed" if accuracy.goals_missed else "done",
        accuracy=accuracy,
        cost=_pick(Cost, content["cost"]),
        bmodel_bytes=bmodels[0] if bmodels else None,
        seconds=round(sum(t["seconds"] for t in content["timings"]), 3),
    )


def _pick(kind: Any, values: dict[str, Any]) -> Any:
    """A report's section back as the value it was written from."""
    known = {f.name for f in fields(kind)}
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    return kind(**plain)
