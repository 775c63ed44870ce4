from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

import tpuc.reports
from tests.reports.sample import layers, sweep
from tpuc.reports import Histogram, WeightRange, wording
from tpuc.reports.charts import clipped_share, cos_share, histogram_paths, line, rebin
from tpuc.reports.pareto import pareto
from tpuc.reports.view import bars_by_type, histogram_cards, network_panels


def test_cosine_axis_is_logarithmic_and_bounded():
    assert cos_share(1.0) == cos_share(1 - 1e-9) == 1.0
    assert cos_share(0.5) == cos_share(-1.0) == 0.0
    steps = [cos_share(1 - 10.0**-p) for p in range(1, 7)]
    gaps = [b - a for a, b in zip(steps, steps[1:])]
    assert gaps == pytest.approx([gaps[0]] * 5)


def test_line():
    assert line([(0, 0), (1, 1)]) == "M0.0 1000L1000.0 0"
    assert line([]) == ""


def test_histogram():
    histogram = Histogram(tuple(float(i) for i in range(100)), 10.0)
    counts, width = rebin(histogram, 48)
    assert sum(counts) == sum(histogram.counts) and len(counts) <= 48
    assert width == pytest.approx(100 / 3)
    kept, clipped = histogram_paths(counts, 10)
    assert kept.count("h1") == 10 and clipped.count("h1") == len(counts) - 10
    assert clipped.startswith("M10 ")
    assert clipped_share(histogram, 5.0) == pytest.approx(sum(range(50, 100)) / sum(range(100)))
    assert clipped_share(histogram, 10.0) == 0.0


def test_panels_and_cards():
    panels = network_panels(layers())
    assert [p.title for p in panels] == [
        "Cosine to float",
        "Signal to quantization noise",
        "Activation range",
        "Weight range",
    ]
    for panel in panels:
        assert all(0 <= share <= 1 for share, _ in panel.ticks)
    assert network_panels(()) == []
    (card,) = histogram_cards(layers(), [])
    assert card.threshold_share == 0.5 and card.clipped_share == pytest.approx(2 / 162)


def test_dead_channels_do_not_stretch_the_axis():
    conv = layers()[1]
    dead = dataclasses.replace(conv, weights=WeightRange(-1.0, 0.5, (1e-12, 1.0)))
    labels = [label for _, label in network_panels((dead,))[-1].ticks]
    assert labels[0] == "1e-05" and labels[-1] == "1"


def test_bars():
    (bar,) = bars_by_type(layers(), "macs")
    assert (bar.label, bar.value, bar.share, bar.note) == ("Conv", "6.91 k", 1.0, "100.0 %")


def test_pareto_marks_what_no_run_beats():
    picture = pareto(sweep())
    assert picture is not None and picture.cost_name == "size of the bmodel"
    assert {dot.number: dot.best for dot in picture.dots} == {0: True, 1: True, 2: False}
    assert all(0 <= d.left <= 1 and 0 <= d.bottom <= 1 for d in picture.dots)
    assert len(picture.accuracy_ticks) >= 2
    assert pareto(sweep()[:1]) is None


@pytest.mark.parametrize(
    ("say", "value", "text"),
    [
        (wording.cosine, 0.9999999, "0.99999"),
        (wording.cosine, 1.0, "1.00000"),
        (wording.cosine, None, "–"),
        (wording.decibel, math.inf, "exact"),
        (wording.size, 1536, "1.50 KiB"),
        (wording.size, 12, "12 B"),
        (wording.count, 37_100_000, "37.1 M"),
        (wording.seconds, 0.25, "250 ms"),
        (wording.seconds, 125.0, "2 min 5 s"),
        (wording.fact, 12345, "12,345"),
        (wording.fact, (), "–"),
        (wording.fact, True, "yes"),
    ],
)
def test_wording(say, value, text):
    assert say(value) == text


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_colors_reach_contrast_aa(scheme):
    css = (Path(tpuc.reports.__file__).parent / "templates/styles/core.css").read_text()
    pairs = re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", css)
    color = {name: (light, dark)[scheme] for name, light, dark in pairs}
    for ink in "ink muted accent float clip good fair poor".split():
        for ground in "card inset bg".split():
            assert _contrast(color[ink], color[ground]) >= 4.5, (ink, ground)
    assert _contrast(color["accent"], color["soft"]) >= 4.5


def test_runs_that_would_hide_each_other_stand_side_by_side():
    rows = sweep()
    same = (replace(rows[0], seconds=9.0), *rows, rows[1], rows[1])
    picture = pareto(same)
    places = [(round(d.left, 3), round(d.bottom, 3), d.beside) for d in picture.dots]
    assert len(set(places)) == len(places) == 6
    assert [d.beside for d in picture.dots if d.number in (2, 5, 6)] == [(0, 0), (-1, 0), (-2, 0)]
