"""The sections of report.html, in the order in which they stand.

A section is one line in `SECTIONS`, one function here or in a module of its own that says what it
shows (None: this run has no such section), and one file in `templates/sections`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tpuc.reports.closeup import closeups
from tpuc.reports.data import Note, ReportData
from tpuc.reports.figures import figures
from tpuc.reports.graph_view import graph_view
from tpuc.reports.searched import searched_view
from tpuc.reports.timeline import timeline_view
from tpuc.reports.verdict import judge, losses
from tpuc.reports.view import bars_by_type, bars_of_time, histogram_cards, network_panels

__all__ = ["SECTIONS", "Section"]

_WORST = 6
_FIRST_HISTOGRAMS = 12

View = Mapping[str, Any] | None


@dataclass(frozen=True)
class Section:
    """One section.

    Parameters
    ----------
    name : str
        Of its template, and the id that links lead to.
    link : str
        Its words in the bar at the top; empty: not there.
    view : callable
        What the template shows besides `data`, by name.
    """

    name: str
    link: str
    view: Callable[[ReportData], View]


def _verdict(data: ReportData) -> View:
    return {"verdict": judge(data), "figures": figures(data)}


def _worst(data: ReportData) -> View:
    worst = losses(data.layers)[:_WORST]
    return {"worst": worst, "worst_drop": worst[0].drop} if worst else None


def _along(data: ReportData) -> View:
    panels = network_panels(data.layers)
    return {"panels": panels} if panels else None


def _layers(data: ReportData) -> View:
    rows = data.layers
    return {"dtypes": sorted({r.dtype for r in rows}), "types": sorted({r.type for r in rows})}


def _graph(data: ReportData) -> View:
    graph = graph_view(data.layers)
    return {"graph": graph} if graph else None


def _closeup(data: ReportData) -> View:
    found = closeups(data)
    return {"closeups": found} if found else None


def _histograms(data: ReportData) -> View:
    cards = histogram_cards(data.layers, losses(data.layers))
    return {"cards": cards, "first_cards": _FIRST_HISTOGRAMS} if cards else None


def _search(data: ReportData) -> View:
    return {"searched": searched_view(data.search)} if data.search else None


def _cost(data: ReportData) -> View:
    return {
        "mac_bars": bars_by_type(data.layers, "macs"),
        "weight_bars": bars_by_type(data.layers, "weight_bytes"),
        "time_bars": bars_of_time(data.timings),
        "total_seconds": sum(t.seconds for t in data.timings),
    }


def _skipped(data: ReportData) -> View:
    topics: dict[str, list[Note]] = {}
    for note in data.skipped:
        topics.setdefault(note.topic, []).append(note)
    return {"skipped": topics.items()} if topics else None


def _timeline(data: ReportData) -> View:
    return timeline_view(data.timeline) if data.timeline else None


def _where(present: Callable[[ReportData], object]) -> Callable[[ReportData], View]:
    """A section that shows only `data`, and only where there is something."""
    return lambda data: {} if present(data) else None


SECTIONS = (
    Section("verdict", "Verdict", _verdict),
    Section("task", "Task", _where(lambda data: data.task)),
    Section("worst", "", _worst),
    Section("along", "Along the network", _along),
    Section("graph", "Graph", _graph),
    Section("layers", "Layers", _layers),
    Section("closeup", "Close-up", _closeup),
    Section("histograms", "Histograms", _histograms),
    Section("search", "Search", _search),
    Section("decided", "", _where(lambda data: data.decided)),
    Section("correction", "Corrections", _where(lambda data: data.correction)),
    Section("delegate", "TPU-MLIR", _where(lambda data: data.delegate)),
    Section("cost", "Cost", _cost),
    Section("timeline", "Engines", _timeline),
    Section("build", "Build", _where(lambda data: True)),
    Section("skipped", "", _skipped),
)
