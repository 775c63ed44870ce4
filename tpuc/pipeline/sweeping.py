"""The end of a sweep: one row for each run, the failed ones too."""

from __future__ import annotations

import json
import math
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from tpuc.files import write_whole
from tpuc.reports import Accuracy, Cost, SweepRow, sweep_text, write_sweep

__all__ = ["KILLED", "finish_sweep", "objectives", "record"]


KILLED = "ended without a word: killed, or out of memory"
_ROW = "sweep_row.json"
_STATUS = {0: "done", 3: "goal missed"}


def record(folder: Path, overrides: list[str], command: str, outcome: tuple[int, str]) -> None:
    """Leave a run's row of the sweep in its folder.

    Parameters
    ----------
    outcome : (exit status, what was wrong)
    """
    status, error = outcome
    row = {"overrides": overrides, "command": command, "status": status, "error": error}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _ROW, json.dumps(row))


def objectives(folder: Path) -> tuple[float, float]:
    """(output cosine, cost) of a run; the worst there can be if it failed.

    The cost is in estimated cycles where they are known, else in bytes of weights.
    """
    report = folder / "report.json"
    if not report.is_file():
        return -1.0, math.inf
    content = json.loads(report.read_text())
    cosine, cost = content["accuracy"]["output_cos_mean"], content["cost"]
    worth = -1.0 if cosine is None else float(cosine)
    return worth, float(cost["estimated_cycles"] or cost["weight_bytes"])


def finish_sweep(folder: Path) -> tuple[int, list[str]]:
    """Write sweep.json, sweep.csv and sweep.html from what the runs left.

    Returns the largest exit status, and lines for the terminal.

    A run that left nothing (killed, or its machine gone) is a row too.
    """
    runs = [p.parent.parent for p in folder.glob("*/.hydra/overrides.yaml")]
    rows, worst = [], 0
    for run in sorted(runs, key=lambda p: (len(p.name), p.name)):
        status, row = _row(run)
        rows.append(row)
        worst = max(worst, status)
    write_sweep(folder, tuple(rows))
    return worst, sweep_text(rows)


def _row(folder: Path) -> tuple[int, SweepRow]:
    mark = folder / _ROW
    if not mark.is_file():
        given = yaml.safe_load((folder / ".hydra/overrides.yaml").read_text()) or ()
        words = tuple(re.sub(r"^recipes=", "recipe=", word) for word in given)
        command = shlex.join(["tpuc", *words])
        return 1, SweepRow(words, command, folder.name, status="failed", error=KILLED)
    said: dict[str, Any] = json.loads(mark.read_text())
    common = tuple(said["overrides"]), said["command"], folder.name
    report = folder / "report.json"
    if said["error"] or not report.is_file():
        error = said["error"] or "stopped early"
        return said["status"], SweepRow(*common, status="failed", error=error)
    content: dict[str, Any] = json.loads(report.read_text())
    bmodels = [p.stat().st_size for p in folder.glob("*.bmodel")]
    return said["status"], SweepRow(
        *common,
        status=_STATUS[said["status"]],
        accuracy=_pick(Accuracy, content["accuracy"]),
        cost=_pick(Cost, content["cost"]),
        bmodel_bytes=bmodels[0] if bmodels else None,
        seconds=round(sum(t["seconds"] for t in content["timings"]), 3),
        has_page=(folder / "report.html").is_file(),
    )


def _pick(kind: Any, values: dict[str, Any]) -> Any:
    """A report's section back as the value it was written from."""
    known = {f.name for f in fields(kind)}
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
    return kind(**plain)
