"""Our own SVG charts, without text: labels are HTML beside them, so that a chart may stretch.

Every chart is drawn in a box of 1000 x 1000 units that the page stretches to any width; strokes
keep their width by `vector-effect`, and a dot is a stroke of no length with round ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from tpuc.reports.data import Histogram

__all__ = ["area", "cos_share", "dots", "histogram_paths", "line", "rebin"]

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


def area(heights: Sequence[float], start: float = 0.0, stop: float = 1.0) -> Markup:
    """Path data of a filled bar chart of equal bins from `start` to `stop`."""
    if not heights:
        return Markup("")
    step = (stop - start) * _BOX / len(heights)
    parts = [f"M{start * _BOX:.0f} {_BOX:.0f}"]
    for index, height in enumerate(heights):
        top = round((1 - height) * _BOX)
        right = round(start * _BOX + step * (index + 1))
        parts.append(f"V{top}H{right}")
    return Markup("".join(parts) + f"V{_BOX:.0f}z")


def rebin(histogram: Histogram, bins: int) -> tuple[float, ...]:
    """Counts in at most `bins` bins of equal width; the last may be short of one old bin."""
    counts = histogram.counts
    group = max(1, -(-len(counts) // bins))
    return tuple(sum(counts[i : i + group]) for i in range(0, len(counts), group))


def histogram_paths(
    histogram: Histogram, threshold: float | None, bins: int = 48
) -> tuple[Markup, Markup, float]:
    """Bars kept, bars clipped, and the share of the samples that is clipped.

    Heights are log(1 + count) over the largest.
    """
    counts = rebin(histogram, bins)
    top = math.log1p(max(counts, default=0.0)) or 1.0
    heights = [math.log1p(c) / top for c in counts]
    if threshold is None or threshold >= histogram.high or not heights:
        return area(heights), Markup(""), 0.0
    cut = round(len(heights) * threshold / histogram.high)
    share = cut / len(heights)
    return (
        area(heights[:cut], 0.0, share),
        area(heights[cut:], share),
        _clipped(histogram, threshold),
    )


def _clipped(histogram: Histogram, threshold: float) -> float:
    total = sum(histogram.counts)
    first = math.ceil(len(histogram.counts) * threshold / histogram.high)
    return sum(histogram.counts[first:]) / total if total else 0.0
