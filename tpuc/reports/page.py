"""report.html: one file, no requests, every text escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tpuc.reports import wording
from tpuc.reports.data import ReportData
from tpuc.reports.searched import searched_view
from tpuc.reports.verdict import judge, losses
from tpuc.reports.view import Bar, bars_by_type, histogram_cards, network_panels

__all__ = ["figures", "render", "report_html"]

_WORST = 6
_FIRST_HISTOGRAMS = 12


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in wording.__all__:
        environment.filters[name] = getattr(wording, name)
    return environment


def render(template: str, **context: Any) -> str:
    """Fill a template of this room."""
    return _environment().get_template(template).render(**context)


def report_html(data: ReportData) -> str:
    """The whole page."""
    worst = losses(data.layers)[:_WORST]
    return render(
        "report.html.j2",
        data=data,
        verdict=judge(data),
        worst=worst,
        worst_drop=worst[0].drop if worst else 1.0,
        figures=figures(data),
        panels=network_panels(data.layers),
        cards=histogram_cards(data.layers, losses(data.layers)),
        first_cards=_FIRST_HISTOGRAMS,
        dtypes=sorted({row.dtype for row in data.layers}),
        types=sorted({row.type for row in data.layers}),
        mac_bars=bars_by_type(data.layers, "macs"),
        weight_bars=bars_by_type(data.layers, "weight_bytes"),
        time_bars=_time_bars(data),
        searched=searched_view(data.search) if data.search else None,
        total_seconds=sum(t.seconds for t in data.timings),
    )


def figures(data: ReportData) -> list[tuple[str, str, str]]:
    """Name, value and note of each figure in the first card; unknown ones are left out."""
    a, c = data.accuracy, data.cost
    found = []
    if a.output_cos_mean is not None:
        least = f"lowest {wording.cosine(a.output_cos_min)}" if a.output_cos_min else ""
        found.append(("Output cosine", wording.cosine(a.output_cos_mean), least))
    if a.sqnr_db is not None:
        found.append(("Output SQNR", wording.decibel(a.sqnr_db), "against float"))
    for name, before, after in (
        ("Top-1", a.float_top1, a.top1),
        ("Top-5", a.float_top5, a.top5),
        ("mAP", a.float_map, a.map),
    ):
        if after is not None:
            note = "" if before is None else f"float {wording.percent(before)}"
            found.append((name, wording.percent(after), note))
    if a.agreement_top1 is not None:
        found.append(("Same top-1", wording.percent(a.agreement_top1), "as float"))
    if c.weight_bytes:
        ratio = (
            f"{c.float_weight_bytes / c.weight_bytes:.2g} times smaller"
            if (c.float_weight_bytes)
            else ""
        )
        found.append(("Weights", wording.size(c.weight_bytes), ratio))
    if c.macs:
        found.append(("MACs", wording.count(c.macs), "one inference"))
    return found


def _time_bars(data: ReportData) -> list[Bar]:
    top = max((t.seconds for t in data.timings), default=0.0) or 1.0
    return [
        Bar(
            t.stage,
            wording.seconds(t.seconds),
            t.seconds / top,
            "from the cache" if t.cached else "",
        )
        for t in data.timings
    ]
