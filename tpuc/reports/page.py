"""report.html: one file, no requests, every text escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tpuc.reports import wording
from tpuc.reports.data import ReportData
from tpuc.reports.sections import SECTIONS

__all__ = ["render", "report_html"]


@dataclass(frozen=True)
class _Filled:
    """A section that this report has."""

    name: str
    link: str
    html: Markup


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
    sections = []
    for section in SECTIONS:
        view = section.view(data)
        if view is not None:
            html = Markup(render(f"sections/{section.name}.html.j2", data=data, **view))
            sections.append(_Filled(section.name, section.link, html))
    return render("report.html.j2", data=data, sections=sections)
