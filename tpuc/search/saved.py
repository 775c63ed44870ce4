"""A search result as files: tables in their own text, the rest as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable, Range
from tpuc.files import write_whole
from tpuc.search.result import Candidate, FrontPoint, LayerLoss, SearchResult

__all__ = ["from_saved", "to_saved"]

_FILE = "search.json"


def to_saved(result: SearchResult, folder: Path) -> None:
    """Write the result into a folder."""
    write_whole(folder / _FILE, json.dumps(asdict(result)))


def from_saved(folder: Path) -> SearchResult:
    """Read what `to_saved` wrote."""
    row = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    row["table"] = _table(row["table"])
    row["qtable"] = QuantizeTable(
        {n: Choice(**choice) for n, choice in row["qtable"]["choices"].items()}
    )
    row["losses"] = tuple(_loss(r) for r in row["losses"])
    row["front"] = tuple(
        FrontPoint(tuple(p["float_ops"]), p["cost"], p["cos"], tuple(p["int8_ops"]))
        for p in row["front"]
    )
    for key in ("float_ops", "int8_ops"):
        row[key] = tuple(row[key])
    return SearchResult(**row)


def _table(row: dict) -> CalibrationTable:
    for key in ("ranges", "int4"):
        row[key] = {n: Range(**r) for n, r in row[key].items()}
    for key in ("int4_ops", "asym_ops", "symmetric_ops"):
        row[key] = tuple(row[key])
    row["weight_scales"] = {n: tuple(v) for n, v in row["weight_scales"].items()}
    return CalibrationTable(**row)


def _loss(row: dict) -> LayerLoss:
    candidates = tuple(Candidate(**c) for c in row["candidates"])
    return LayerLoss(row["name"], row["type"], Candidate(**row["best"]), candidates)
