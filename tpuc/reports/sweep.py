"""sweep.json and sweep.html: the runs of a sweep side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tpuc.files import write_whole
from tpuc.reports.charts import cos_share
from tpuc.reports.data import SweepRow
from tpuc.reports.page import render
from tpuc.reports.structure import plain
from tpuc.reports.write import json_text

__all__ = ["write_sweep"]

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class _Dot:
    """A run in the picture: shares of the axes from left and from the bottom."""

    number: int
    left: float
    bottom: float
    best: bool


def write_sweep(folder: str | Path, rows: Sequence[SweepRow]) -> None:
    """Write both files.

    Raises
    ------
    ArtifactError : a file can not be written
    """
    folder = Path(folder)
    content = {"schema_version": SCHEMA_VERSION, "runs": [plain(asdict(row)) for row in rows]}
    write_whole(folder / "sweep.json", json_text(content))
    write_whole(folder / "sweep.html", render("sweep.html.j2", rows=rows, dots=_dots(rows)))


def _dots(rows: Sequence[SweepRow]) -> list[_Dot]:
    """Cosine against weight bytes; `best` marks runs that no other run beats in both."""
    known = [
        (i, row.accuracy.output_cos_mean, row.cost.weight_bytes)
        for i, row in enumerate(rows, 1)
        if row.accuracy.output_cos_mean is not None
    ]
    largest = max((size for _, _, size in known), default=0) or 1
    return [
        _Dot(
            number,
            size / largest,
            cos_share(cos),
            not any(c >= cos and s <= size and (c > cos or s < size) for _, c, s in known),
        )
        for number, cos, size in known
    ]
