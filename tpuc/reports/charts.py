"""Our own SVG charts, without text: labels are HTML beside them, so that a chart may stretch.

A chart is drawn in a box of 1000 x 1000 units (histograms: bins x 100) that the page stretches to
any width; strokes keep their width by `vector-effect`, and a dot is a stroke of no length with
round ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tpuc.reports.data import Histogram

__all__ = ["clipped_share", "cos_share", "dots", "histogram_paths", "line", "rebin"]

_BOX = 1000.0
_FLOOR = 1e-6  # 1 - cos below this is drawn as exact
_DEEPEST = 0.5  # and beyond this at the bottom


def cos_share(cos: float) -> float:
    """Height of a cosine on the similarity axis, 0 (bottom) to 1: -log10(1 - cos), cut."""
    distance = min(max(1.0 - cos, _FLOOR), _DEEPEST)
    return math.log(_DEEPEST / distance) / math.log(_DEEPEST / _FLOOR)


def _point(x: float, y: float) -> str:
    return f"{x * _BOX:.1f} {(1 - y) * _BOX:.0f}"


def line(points: Iterable[tuple[float, float]]) -> Markup:
    """Path data through points given as shares of the box, y upward."""
    text = "L".join(_point(x, y) for x, y in points)
    return Markup("M" + text if text else "")


def dots(points: Iterable[tuple[float, float]]) -> Markup:
    """Path data of a dot at each point."""
    return Markup("".join(f"M{_point(x, y)}h0" for x, y in points))


def _area(heights: Sequence[float], start: int = 0) -> Markup:
    """Path data of a filled bar chart: bins one unit wide from `start`, in a box 100 high."""
    if not heights:
        return Markup("")
    tops = "".join(f"V{100 - round(height * 100)}h1" for height in heights)
    return Markup(f"M{start} 100{tops}V100z")


def rebin(histogram: Histogram, bins: int) -> tuple[tuple[float, ...], float]:
    """Counts in at most `bins` equal bins, and how many of them reach `high` (the last may not)."""
    counts = histogram.counts
    group = max(1, -(-len(counts) // bins))
    sums = tuple(sum(counts[i : i + group]) for i in range(0, len(counts), group))
    return sums, len(counts) / group


def histogram_paths(counts: Sequence[float], cut: int) -> tuple[Markup, Markup]:
    """Bars before bin `cut` and the bars from there on; heights are log(1 + count)."""
    top = math.log1p(max(counts, default=0.0)) or 1.0
    heights = [math.log1p(count) / top for count in counts]
    return _area(heights[:cut]), _area(heights[cut:], cut)


def clipped_share(histogram: Histogram, threshold: float) -> float:
    """Share of the samples in bins that lie wholly beyond the threshold."""
    total = sum(histogram.counts)
    first = math.ceil(len(histogram.counts) * threshold / histogram.high)
    return sum(histogram.counts[first:]) / total if total else 0.0
