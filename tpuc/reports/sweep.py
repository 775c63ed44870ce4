"""sweep.json, sweep.csv and sweep.html: the runs of a sweep side by side."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tpuc.files import write_whole
from tpuc.reports.data import ReportData, SweepRow
from tpuc.reports.figures import figures
from tpuc.reports.page import render
from tpuc.reports.pareto import pareto
from tpuc.reports.structure import SCHEMA_VERSION, plain
from tpuc.reports.verdict import judge
from tpuc.reports.write import json_text

__all__ = ["CSV_COLUMNS", "sweep_csv", "sweep_html", "sweep_text", "write_sweep"]


CSV_COLUMNS = (
    *("folder", "overrides", "status", "output_cos_mean", "output_cos_min", "sqnr_db"),
    *("top1", "agreement_top1", "map", "weight_bytes", "estimated_cycles", "bmodel_bytes"),
    *("seconds", "error", "command"),
)


@dataclass(frozen=True)
class _Best:
    """The run whose outputs are closest to float."""

    number: int
    row: SweepRow
    figures: Sequence[tuple[str, str, str]]


def write_sweep(folder: str | Path, rows: Sequence[SweepRow]) -> None:
    """Write all three files.

    Raises
    ------
    ArtifactError : a file can not be written
    """
    folder = Path(folder)
    content = {"schema_version": SCHEMA_VERSION, "runs": [plain(asdict(row)) for row in rows]}
    write_whole(folder / "sweep.json", json_text(content))
    write_whole(folder / "sweep.csv", sweep_csv(rows))
    write_whole(folder / "sweep.html", sweep_html(rows))


def sweep_csv(rows: Sequence[SweepRow]) -> str:
    """One line for each run under `CSV_COLUMNS`; unknown figures empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        cells = {**asdict(row.accuracy), **asdict(row.cost), **asdict(row)}
        cells["overrides"] = " ".join(row.overrides)
        if row.status == "failed":
            cells["weight_bytes"] = None
        writer.writerow(["" if cells[c] is None else cells[c] for c in CSV_COLUMNS])
    return text.getvalue()


def sweep_text(rows: Sequence[SweepRow]) -> list[str]:
    """Lines for a terminal: how runs ended, why they failed, and which one is nearest to float."""
    statuses = Counter(row.status for row in rows)
    lines = [", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))]
    lines += [f"run {row.folder}: {row.error}" for row in rows if row.status == "failed"]
    best = _best(rows)
    if best is not None:
        cosine = best.row.accuracy.output_cos_mean
        lines.append(f"closest to float: run {best.row.folder}, cosine {cosine:.5f}")
        lines.append(f"  {best.row.command}")
    return lines


def sweep_html(rows: Sequence[SweepRow]) -> str:
    """The whole page; overrides that all runs have are said once."""
    common = [o for o in rows[0].overrides if all(o in r.overrides for r in rows)] if rows else []
    rows = [replace(r, overrides=tuple(o for o in r.overrides if o not in common)) for r in rows]
    best = _best(rows)
    statuses = Counter(row.status for row in rows)
    return render(
        "sweep.html.j2",
        rows=rows,
        common=common,
        counts=", ".join(f"{count} {status}" for status, count in sorted(statuses.items())),
        best=best,
        best_level=judge(_as_report(best.row)).level if best else "unknown",
        picture=pareto(rows),
        has_top1=any(row.accuracy.top1 is not None for row in rows),
        has_map=any(row.accuracy.map is not None for row in rows),
    )


def _as_report(row: SweepRow) -> ReportData:
    return ReportData("", "", "", "", (), accuracy=row.accuracy, cost=row.cost)


def _best(rows: Sequence[SweepRow]) -> _Best | None:
    """Highest mean cosine; among equals the smaller, then the earlier."""
    known = [
        (-row.accuracy.output_cos_mean, row.bmodel_bytes or 0, number)
        for number, row in enumerate(rows)
        if row.accuracy.output_cos_mean is not None and row.status != "failed"
    ]
    if not known:
        return None
    number = min(known)[2]
    return _Best(number, rows[number], figures(_as_report(rows[number])))
