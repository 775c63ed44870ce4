"""Writes a report, each file whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tpuc.files import write_whole
from tpuc.reports.data import ReportData
from tpuc.reports.page import report_html
from tpuc.reports.structure import build_report, layers_csv

__all__ = ["json_text", "write_report"]

_FLAT_LIST = re.compile(r"\[\n[-+.0-9eE,\s]*\]")  # no string holds a bare newline


def json_text(content: Mapping[str, Any]) -> str:
    """Strict JSON, lists of numbers on one line, the same bytes for the same content."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return _FLAT_LIST.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def write_report(folder: str | Path, data: ReportData, html: bool = True) -> dict[str, Any]:
    """Write report.json, layers.csv and, if wanted, report.html; return report.json's content.

    Raises
    ------
    ArtifactError : a file can not be written
    """
    folder = Path(folder)
    content = build_report(data)
    write_whole(folder / "report.json", json_text(content))
    write_whole(folder / "layers.csv", layers_csv(data.layers))
    if html:
        write_whole(folder / "report.html", report_html(data))
    return content
