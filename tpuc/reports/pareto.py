"""The picture of a sweep: accuracy against cost, and the runs that no other beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tpuc.reports import wording
from tpuc.reports.charts import line
from tpuc.reports.data import SweepRow

__all__ = ["Dot", "Pareto", "pareto"]

_EXACT = 1e-7  # 1 - cos below this is drawn as this
_DIFFERENT = 1.02  # sizes within this factor are no axis
_MARGIN = 0.08  # of the box, on every side
_NEAR = (0.025, 0.08)  # dots nearer than this, across and up, hide each other
_ABREAST = 6


@dataclass(frozen=True)
class Dot:
    """One run.

    Parameters
    ----------
    left, bottom : float
        Shares of the box.
    best : bool
        No other run beats it.
    beside : (int, int)
        Places that it moves aside, across and up, as others lie where it would.
    """

    number: int
    label: str
    left: float
    bottom: float
    best: bool
    beside: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Pareto:
    """Everything to draw; ticks are (share, label)."""

    cost_name: str
    dots: tuple[Dot, ...]
    front: Markup
    accuracy_ticks: tuple[tuple[float, str], ...]
    cost_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class _Run:
    number: int
    cos: float
    cost: float
    label: str


def pareto(rows: Sequence[SweepRow]) -> Pareto | None:
    """The picture, or None if fewer than two runs have both figures."""
    name, runs = _runs(rows)
    if len(runs) < 2:
        return None
    height, accuracy_ticks = _accuracy_axis([run.cos for run in runs])
    across, cost_ticks = _cost_axis([run.cost for run in runs], name)
    dots = tuple(
        Dot(run.number, run.label, across(run.cost), height(run.cos), _unbeaten(run, runs))
        for run in runs
    )
    front = sorted((dot.left, dot.bottom) for dot in dots if dot.best)
    return Pareto(name, _apart(dots), line(front), tuple(accuracy_ticks), tuple(cost_ticks))


def _apart(dots: Sequence[Dot]) -> tuple[Dot, ...]:
    """Dots that would hide each other side by side, the best where it belongs."""
    placed: list[tuple[Dot, int]] = []
    found = []
    for dot in sorted(dots, key=lambda dot: not dot.best):
        for index, (first, count) in enumerate(placed):
            if abs(dot.left - first.left) < _NEAR[0] and abs(dot.bottom - first.bottom) < _NEAR[1]:
                placed[index] = first, count + 1
                aside, up = count % _ABREAST, count // _ABREAST
                sides = -1 if first.left > 0.5 else 1, -1 if first.bottom > 0.5 else 1
                beside = (sides[0] * aside, sides[1] * up)
                found.append(replace(dot, left=first.left, bottom=first.bottom, beside=beside))
                break
        else:
            placed.append((dot, 1))
            found.append(dot)
    return tuple(sorted(found, key=lambda dot: dot.number))


def _runs(rows: Sequence[SweepRow]) -> tuple[str, list[_Run]]:
    """Runs with an accuracy and a cost: the bmodel's size, or the time if sizes hardly differ."""
    measured = [
        (number, row)
        for number, row in enumerate(rows)
        if row.accuracy.output_cos_mean is not None and row.status != "failed"
    ]
    sizes = [row.bmodel_bytes for _, row in measured if row.bmodel_bytes]
    by_size = bool(sizes) and max(sizes) > _DIFFERENT * min(sizes)
    name = "size of the bmodel" if by_size else "time of the build"
    found = []
    for number, row in measured:
        cost = row.bmodel_bytes if by_size else row.seconds
        cos = row.accuracy.output_cos_mean
        if cost is not None and cos is not None and math.isfinite(cos):
            said = " ".join(row.overrides) or "no overrides"
            label = f"{said}, cosine {wording.cosine(cos)}, {_cost_word(name, cost)}"
            found.append(_Run(number, cos, float(cost), label))
    return name, found


def _cost_word(name: str, cost: float) -> str:
    return wording.size(int(cost)) if name.startswith("size") else wording.seconds(cost)


def _unbeaten(run: _Run, runs: Sequence[_Run]) -> bool:
    return not any(
        o.cos >= run.cos and o.cost <= run.cost and (o.cos > run.cos or o.cost < run.cost)
        for o in runs
    )


def _scale(low: float, high: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: _MARGIN + (1 - 2 * _MARGIN) * (value - low) / span


def _accuracy_axis(
    values: Sequence[float],
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    """Axis of -log10(1 - cos), over what the runs span and at least a factor of two."""

    def depth(cos: float) -> float:
        return -math.log10(max(1.0 - cos, _EXACT))

    low, high = min(map(depth, values)), max(map(depth, values))
    if high - low < 0.3:
        middle = (low + high) / 2
        low, high = middle - 0.15, middle + 0.15
    scale = _scale(low, high)
    distances = [m * 10.0**-p for p in range(-1, 8) for m in (5, 2, 1)]
    inside = [d for d in distances if low - 0.05 <= -math.log10(d) <= high + 0.05]
    chosen = inside if len(inside) <= 6 else [d for d in inside if f"{d:e}"[0] == "1"]
    ticks = [(scale(-math.log10(d)), f"{1 - d:.7g}") for d in chosen]
    return lambda cos: scale(depth(cos)), ticks


def _cost_axis(
    values: Sequence[float], name: str
) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
    low, high = min(values), max(values)
    scale = _scale(low, high)
    steps = [low, (low + high) / 2, high] if high > low else [low]
    return scale, [(scale(step), _cost_word(name, step)) for step in steps]
