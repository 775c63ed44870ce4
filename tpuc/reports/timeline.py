"""The section of both engines over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpuc.reports.timeline_data import Timeline, Work

__all__ = ["timeline_view"]

_WIDTH = 1000.0
_TICKS = 8
_LONGEST = 12
_NAMES = {"tiu": "Tensor unit", "dma": "DMA"}
_LABELS = {
    "conv": "convolution",
    "window": "depthwise, pools",
    "other": "other",
    "load": "load",
    "store": "store",
}


@dataclass(frozen=True)
class _Bar:
    work: Work
    left: float
    width: float


@dataclass(frozen=True)
class _Engine:
    name: str
    busy: float  # share of the time
    bars: tuple[_Bar, ...]


def timeline_view(line: Timeline) -> Mapping[str, Any]:
    """Bars of both engines, ticks, and the ops that take longest."""
    scale = _WIDTH / max(line.cycles, 1)
    engines = []
    for key, name in _NAMES.items():
        work = [w for w in line.work if w.engine == key]
        busy = sum(w.end - w.start for w in work) / max(line.cycles, 1)
        bars = tuple(_Bar(w, w.start * scale, (w.end - w.start) * scale) for w in work)
        engines.append(_Engine(name, busy, bars))
    return {
        "line": line,
        "engines": tuple(engines),
        "kinds": tuple(
            (k, _LABELS.get(k, "other")) for k in ("conv", "window", "other", "load", "store")
        ),
        "ticks": tuple(line.cycles * i // _TICKS for i in range(_TICKS + 1)),
        "longest": _longest(line),
        "milliseconds": line.cycles / line.clock_mhz / 1e3 if line.clock_mhz else None,
    }


def _longest(line: Timeline) -> tuple[tuple[str, int, int], ...]:
    """(op, cycles of the tensor unit, of the DMA), those with most cycles first."""
    spent = {key: Counter[str]() for key in _NAMES}
    for work in line.work:
        spent[work.engine][work.name] += work.end - work.start
    whole = spent["tiu"] + spent["dma"]
    names = sorted(whole, key=lambda n: (-whole[n], n))[:_LONGEST]
    return tuple((n, spent["tiu"][n], spent["dma"][n]) for n in names)
