"""Writes a report, each file whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tpuc.files import write_whole
from tpuc.reports.data import ReportData
from tpuc.reports.page import report_html
from tpuc.reports.structure import build_report, layers_csv

__all__ = ["json_text", "write_report"]


def json_text(content: Mapping[str, Any]) -> str:
    """Strict JSON, readable, the same bytes for the same content."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_report(folder: str | Path, data: ReportData) -> dict[str, Any]:
    """Write report.json, layers.csv and report.html; return the content of report.json.

    Raises
    ------
    ArtifactError : a file can not be written
    """
    folder = Path(folder)
    content = build_report(data)
    write_whole(folder / "report.json", json_text(content))
    write_whole(folder / "layers.csv", layers_csv(data.layers))
    write_whole(folder / "report.html", report_html(data))
    return content
