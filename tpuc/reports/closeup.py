"""What the close-up of a layer shows: values, channels, advice; packed, to keep the page small.

A packed list is two letters of `LETTERS` for each number: 12 bits between the list's ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tpuc.reports.advice import layer_hints
from tpuc.reports.data import LayerRow, ReportData, Values, WeightRange
from tpuc.reports.verdict import losses

__all__ = ["LETTERS", "Closeups", "closeups", "pack"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_MOST_CHANNELS = 192
_WORST = 8


@dataclass(frozen=True)
class Closeups:
    """All layers.

    Parameters
    ----------
    content : list of dict
        For each op in program order: `v` [low, high, float, lowered], `w` [low, high, channels,
        lows, highs, quietest channel, its |w|, largest |w|] and `a` [[keys, why], ...]; what an op
        does not have is not there.
    worst : list of int
        Ops that lose most, worst first.
    """

    content: list[dict[str, Any]]
    worst: list[int]


def pack(numbers: Sequence[float], low: float, high: float) -> str:
    """Numbers from `low` to `high` as letters."""
    span = high - low or 1.0
    steps = [min(max(round((x - low) / span * 4095), 0), 4095) for x in numbers]
    return "".join(LETTERS[step >> 6] + LETTERS[step & 63] for step in steps)


def closeups(data: ReportData) -> Closeups | None:
    """Everything that the section needs; None if there is nothing to look at."""
    lost = losses(data.layers)
    before = {loss.layer.name: loss for loss in lost}
    content = [_content(data, row, before.get(row.name)) for row in data.layers]
    if not any(content):
        return None
    number = {row.name: i for i, row in enumerate(data.layers)}
    return Closeups(content, [number[loss.layer.name] for loss in lost[:_WORST]])


def _content(data: ReportData, row: LayerRow, loss: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.values is not None and row.values.real:
        found["v"] = _values(row.values)
    if row.weights is not None and row.weights.channel_low:
        found["w"] = _weights(row.weights)
    hints = layer_hints(data, row, loss)
    if hints:
        found["a"] = [[hint.keys, hint.why] for hint in hints]
    return found


def _round(x: float) -> float:
    return float(f"{x:.5g}")


def _values(values: Values) -> list[Any]:
    low = min(*values.real, *values.lowered)
    high = max(*values.real, *values.lowered)
    packed = [pack(numbers, low, high) for numbers in (values.real, values.lowered)]
    return [_round(low), _round(high), *packed]


def _weights(weights: WeightRange) -> list[Any]:
    count = len(weights.channel_low)
    group = -(-count // _MOST_CHANNELS)
    starts = range(0, count, group)
    lows = [min(weights.channel_low[i : i + group]) for i in starts]
    highs = [max(weights.channel_high[i : i + group]) for i in starts]
    peaks = [max(-a, b) for a, b in zip(weights.channel_low, weights.channel_high)]
    used = [(peak, channel) for channel, peak in enumerate(peaks) if peak > 0]
    quiet, channel = min(used, default=(0.0, 0))
    low, high = min(lows), max(highs)
    return [
        _round(low), _round(high), count, pack(lows, low, high), pack(highs, low, high),
        channel, _round(quiet), _round(max(peaks)),
    ]  # fmt: skip
