"""The section of both engines over time."""

from __future__ import annotations

from dataclasses import replace

from tests.reports.sample import report
from tpuc.reports import Timeline, Work, build_report, report_html
from tpuc.reports.timeline import timeline_view

LINE = Timeline(
    1000,
    500,
    (
        Work("dma", "a<b", "load", 0, 400, 2),
        Work("tiu", "a<b", "conv", 400, 900, 3),
        Work("dma", "c", "store", 900, 1000, 1),
    ),
)


def test_bars_lie_where_the_clock_says() -> None:
    view = timeline_view(LINE)
    tiu, dma = view["engines"]
    assert (tiu.busy, dma.busy) == (0.5, 0.5)
    assert [(b.left, b.width) for b in dma.bars] == [(0, 400), (900, 100)]
    assert [(b.left, b.width) for b in tiu.bars] == [(400, 500)]
    assert view["longest"] == (("a<b", 500, 400), ("c", 0, 100))
    assert view["milliseconds"] == 0.002
    assert timeline_view(replace(LINE, clock_mhz=0))["milliseconds"] is None


def test_the_page_shows_them_and_report_json_does_not() -> None:
    data = replace(report(), timeline=LINE)
    page = report_html(data)
    section = page[page.index('id="timeline"') :]
    assert "0.002 ms at 500 MHz" in section and "a&lt;b: conv" in section and "<a<b" not in page
    assert 'id="timeline"' not in report_html(report())
    assert "timeline" not in build_report(data)
