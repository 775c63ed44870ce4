"""What the page shows, computed: panels along the network, histograms, bars. No text but labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tpuc.reports import wording
from tpuc.reports.charts import clipped_share, cos_share, dots, histogram_paths, line, rebin
from tpuc.reports.data import Histogram, LayerRow, Timing
from tpuc.reports.verdict import Loss

__all__ = [
    "Bar",
    "HistogramCard",
    "Panel",
    "bars_by_type",
    "bars_of_time",
    "histogram_cards",
    "network_panels",
    "sqnr_scale",
]

Place = tuple[float, float]
_BINS = 48


@dataclass(frozen=True)
class Panel:
    """One chart along the network; `ticks` are (share of height, label) from the bottom up.

    `strokes` are (CSS class, path data).
    """

    title: str
    about: str
    ticks: tuple[tuple[float, str], ...]
    strokes: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True)
class HistogramCard:
    """Distribution of |x| of one activation: paths in a box of `width` bins, and its threshold."""

    index: int
    layer: LayerRow
    width: float
    kept: Markup
    clipped: Markup
    threshold_share: float | None
    clipped_share: float


@dataclass(frozen=True)
class Bar:
    """One bar of a bar list; `share` of the longest."""

    label: str
    value: str
    share: float
    note: str = ""


def network_panels(layers: Sequence[LayerRow]) -> list[Panel]:
    """Similarity, noise, activation ranges and weight ranges over the op's number."""
    makers = (_cosine, _sqnr, _activations, _weights)
    return [panel for make in makers if (panel := make(layers)) is not None]


def _x(index: int, count: int) -> float:
    return (index + 0.5) / count


def _by_type(
    layers: Sequence[LayerRow], places: Sequence[Place | None]
) -> list[tuple[str, Markup]]:
    """A line through all places, then dots: integer ops and float ops apart."""
    known = [p for p in places if p is not None]
    split: dict[str, list[Place]] = {"dot": [], "dot float": []}
    for row, place in zip(layers, places):
        if place is not None:
            split["dot float" if row.dtype.startswith(("f", "bf")) else "dot"].append(place)
    return [("trace", line(known)), *((kind, dots(ps)) for kind, ps in split.items() if ps)]


def _cosine(layers: Sequence[LayerRow]) -> Panel | None:
    count = len(layers)
    places = [
        None if row.cos is None else (_x(i, count), cos_share(row.cos))
        for i, row in enumerate(layers)
    ]
    if not any(places):
        return None
    ticks = (1 - 1e-6, 0.99999, 0.9999, 0.999, 0.99, 0.9, 0.5)
    return Panel(
        "Cosine to float",
        "1 is equal; each step down is ten times the distance",
        tuple((cos_share(t), "1" if t > 0.99999 else f"{t:g}") for t in reversed(ticks)),
        tuple(_by_type(layers, places)),
    )


def _sqnr(layers: Sequence[LayerRow]) -> Panel | None:
    values = [r.sqnr_db for r in layers]
    scaled = sqnr_scale(values)
    if scaled is None:
        return None
    scale, ticks = scaled
    places = [
        None if v is None or math.isnan(v) else (_x(i, len(values)), scale(v))
        for i, v in enumerate(values)
    ]
    return Panel(
        "Signal to quantization noise",
        "decibel, more is better",
        ticks,
        tuple(_by_type(layers, places)),
    )


def sqnr_scale(
    values: Sequence[float | None],
) -> tuple[Callable[[float], float], tuple[tuple[float, str], ...]] | None:
    """Height of an SQNR and the ticks, or None where nothing was measured; exact is at the top."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return None
    low, high = min(0.0, *known), max(10.0, *known)
    scale = _linear(low, high)
    step = 20 if high - low > 50 else 10
    ticks = range(math.ceil(low / step) * step, int(high) + 1, step)
    return lambda v: scale(min(max(v, low), high)), tuple((scale(t), f"{t} dB") for t in ticks)


def _linear(low: float, high: float) -> Callable[[float], float]:
    return lambda v: 0.04 + 0.92 * (v - low) / (high - low)


def _logarithmic(values: Iterable[float]) -> tuple[Callable[[float], float], list[float]]:
    """Scale over the decades that the values span, at most five, and the decades."""
    found = [v for v in values if v > 0 and math.isfinite(v)]
    high = math.ceil(math.log10(max(found)))
    low = min(max(math.floor(math.log10(min(found))), high - 5), high - 1)
    scale = _linear(low, high)
    step = max(1, (high - low) // 4)
    return lambda v: scale(math.log10(max(v, 10.0**low))), [
        10.0**p for p in range(low, high + 1, step)
    ]


def _reach(row: LayerRow) -> float:
    return max(abs(row.min or 0.0), abs(row.max or 0.0))


def _activations(layers: Sequence[LayerRow]) -> Panel | None:
    rows = [(i, r) for i, r in enumerate(layers) if r.threshold]
    if not rows:
        return None
    scale, decades = _logarithmic([v for _, r in rows for v in (r.threshold or 0, _reach(r))])
    bars, points = [], []
    for index, row in rows:
        x, y = _x(index, len(layers)), scale(row.threshold or 0)
        points.append((x, y))
        if _reach(row) > (row.threshold or 0):
            bars.append(line([(x, y), (x, scale(_reach(row)))]))
    return Panel(
        "Activation range",
        "dot: threshold; bar: up to the largest value seen, what it covers is clipped",
        tuple((scale(d), f"{d:g}") for d in decades),
        (("span clip", Markup("").join(bars)), ("dot", dots(points))),
    )


def _weights(layers: Sequence[LayerRow]) -> Panel | None:
    rows = []
    for index, row in enumerate(layers):
        if row.weights is not None:
            peak = max(abs(row.weights.min), abs(row.weights.max))
            used = [m for m in row.weights.channel_max if m > 0]
            if peak > 0:
                rows.append((_x(index, len(layers)), min(used, default=peak), peak))
    if not rows:
        return None
    scale, decades = _logarithmic([v for _, low, high in rows for v in (low, high)])
    bars = [line([(x, scale(low)), (x, scale(high))]) for x, low, high in rows]
    return Panel(
        "Weight range",
        "dot: largest |w|; bar: down to the quietest channel, long bars ask for equalization",
        tuple((scale(d), f"{d:g}") for d in decades),
        (("span", Markup("").join(bars)), ("dot", dots([(x, scale(h)) for x, _, h in rows]))),
    )


def histogram_cards(layers: Sequence[LayerRow], worst: Sequence[Loss]) -> list[HistogramCard]:
    """One card per op with a histogram: those that lose most first, then program order."""
    first = {loss.layer.name: place for place, loss in enumerate(worst)}
    cards = []
    for index, row in enumerate(layers):
        if row.histogram is None or not row.histogram.high:
            continue
        cards.append(_histogram_card(index, row, row.histogram))
    cards.sort(key=lambda card: (first.get(card.layer.name, len(first)), card.index))
    return cards


def _histogram_card(index: int, row: LayerRow, histogram: Histogram) -> HistogramCard:
    counts, width = rebin(histogram, _BINS)
    if row.threshold is None:
        return HistogramCard(index, row, width, *histogram_paths(counts, len(counts)), None, 0)
    share = min(row.threshold / histogram.high, 1.0)
    paths = histogram_paths(counts, round(share * width))
    lost = clipped_share(histogram, row.threshold)
    return HistogramCard(index, row, width, *paths, share, lost)


def bars_by_type(layers: Sequence[LayerRow], what: str) -> list[Bar]:
    """`macs` or `weight_bytes` summed by op type, largest first."""
    sums: dict[str, int] = {}
    for row in layers:
        amount = getattr(row, what)
        if amount:
            sums[row.type] = sums.get(row.type, 0) + amount
    say = wording.count if what == "macs" else wording.size
    total, top = sum(sums.values()), max(sums.values(), default=1)
    return [
        Bar(kind, say(amount), amount / top, wording.percent(amount / total))
        for kind, amount in sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    ]


def bars_of_time(timings: Sequence[Timing]) -> list[Bar]:
    """One bar for each stage."""
    top = max((t.seconds for t in timings), default=0.0) or 1.0
    return [
        Bar(
            t.stage,
            wording.seconds(t.seconds),
            t.seconds / top,
            "from the cache" if t.cached else "",
        )
        for t in timings
    ]
