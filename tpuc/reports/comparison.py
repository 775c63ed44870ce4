"""Two runs side by side: what was configured otherwise, and what came of it.

Runs are contents of report.json and manifest.json; figures that a run has not are None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tpuc.reports import wording

__all__ = ["Comparison", "Difference", "LayerPair", "Run", "compare_runs"]

_ALIKE_DB = 0.5  # SQNR within this is alike
_ALIKE_COS = 1e-5


@dataclass(frozen=True)
class Run:
    """One run: what to call it, report.json, and the configuration of manifest.json."""

    name: str
    report: Mapping[str, Any]
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One figure or key of both runs, in words.

    Parameters
    ----------
    judged : {'better', 'worse', 'alike', ''}
        The second run against the first; empty where neither is good or bad.
    """

    name: str
    first: str
    second: str
    change: str = ""
    judged: str = ""


@dataclass(frozen=True)
class LayerPair:
    """One op that both runs have.

    Parameters
    ----------
    gain_db : float, optional
        SQNR of the second less that of the first; None where either is unknown or exact.
    judged : {'better', 'worse', 'alike'}
    changed : bool
        Type, threshold or judgement differs.
    """

    name: str
    type: str
    dtypes: tuple[str, str]
    thresholds: tuple[float | None, float | None]
    cos: tuple[float | None, float | None]
    sqnr_db: tuple[float | None, float | None]
    gain_db: float | None
    judged: str
    changed: bool


@dataclass(frozen=True)
class Comparison:
    """Everything that both forms tell."""

    names: tuple[str, str]
    summary: str
    judged: str
    config: tuple[Difference, ...]
    accuracy: tuple[Difference, ...]
    cost: tuple[Difference, ...]
    timings: tuple[Difference, ...]
    layers: tuple[LayerPair, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


_Row = tuple[str, str, Callable[[Any], str], int]  # words, key, wording, +1: more is better
_ACCURACY: tuple[_Row, ...] = (
    ("output cosine", "output_cos_mean", wording.cosine, 1),
    ("lowest output cosine", "output_cos_min", wording.cosine, 1),
    ("output SQNR", "sqnr_db", wording.decibel, 1),
    ("top-1", "top1", wording.percent, 1),
    ("top-5", "top5", wording.percent, 1),
    ("same top-1 as float", "agreement_top1", wording.percent, 1),
    ("mAP", "map", wording.percent, 1),
    ("samples", "samples", wording.fact, 0),
)
_COST: tuple[_Row, ...] = (
    ("MACs", "macs", wording.count, -1),
    ("weights", "weight_bytes", wording.size, -1),
    ("instructions", "instruction_bytes", wording.size, -1),
    ("estimated cycles", "estimated_cycles", wording.count, -1),
)


def compare_runs(first: Run, second: Run) -> Comparison:
    """Compare two runs.

    Raises
    ------
    KeyError, TypeError : a report is damaged
    """
    a, b = first.report, second.report
    layers, only_first, only_second = _layers(a["layers"], b["layers"])
    accuracy = _figures(_ACCURACY, a["accuracy"], b["accuracy"])
    judged = next((row.judged for row in accuracy if row.judged), "")
    return Comparison(
        (first.name, second.name),
        _summary(accuracy, layers),
        judged,
        tuple(_config(first, second)),
        accuracy,
        _figures(_COST, a["cost"], b["cost"]),
        tuple(_timings(a["timings"], b["timings"])),
        layers,
        only_first,
        only_second,
    )


def _figures(
    rows: tuple[_Row, ...], a: Mapping[str, Any], b: Mapping[str, Any]
) -> tuple[Difference, ...]:
    found = []
    for words, key, say, sign in rows:
        x, y = a.get(key), b.get(key)
        if x is None and y is None:
            continue
        change = "" if x is None or y is None or x == y else _change(key, x, y)
        judged = "" if not sign or x is None or y is None else _judge(key, x, y, sign)
        found.append(Difference(words, say(x), say(y), change, judged))
    return tuple(found)


def _judge(key: str, x: float, y: float, sign: int) -> str:
    alike = _ALIKE_COS if "cos" in key else 0.0
    if abs(y - x) <= alike:
        return "alike"
    return "better" if (y - x) * sign > 0 else "worse"


def _change(key: str, x: float, y: float) -> str:
    if "cos" in key:
        return f"{y - x:+.5f}"
    if key == "sqnr_db":
        return f"{y - x:+.1f} dB"
    if key in ("top1", "top5", "agreement_top1", "map"):
        return f"{100 * (y - x):+.1f} points"
    return f"{100 * (y / x - 1):+.1f} %" if x else f"{y - x:+g}"


def _config(first: Run, second: Run) -> Iterator[Difference]:
    """Keys that differ; of the processor the name alone, as its facts follow from it."""
    a, b = dict(_flat(first.config)), dict(_flat(second.config))
    for key in dict.fromkeys([*a, *b]):
        if key.startswith("processor.") and key != "processor.name":
            continue
        x, y = a.get(key), b.get(key)
        if x != y:
            yield Difference(key, wording.fact(x), wording.fact(y))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _timings(a: list[Mapping[str, Any]], b: list[Mapping[str, Any]]) -> Iterator[Difference]:
    x, y = ({t["stage"]: t for t in timings} for timings in (a, b))
    for stage in dict.fromkeys([*x, *y]):
        yield Difference(stage, _time(x.get(stage)), _time(y.get(stage)))
    sums = (wording.seconds(sum(t["seconds"] for t in timings)) for timings in (a, b))
    yield Difference("all stages", *sums)


def _time(timing: Mapping[str, Any] | None) -> str:
    if timing is None:
        return "–"
    return wording.seconds(timing["seconds"]) + (" (cached)" if timing["cached"] else "")


def _layers(
    a: list[Mapping[str, Any]], b: list[Mapping[str, Any]]
) -> tuple[tuple[LayerPair, ...], tuple[str, ...], tuple[str, ...]]:
    x, y = ({row["name"]: row for row in rows} for rows in (a, b))
    pairs = tuple(_pair(row, y[name]) for name, row in x.items() if name in y)
    return pairs, tuple(n for n in x if n not in y), tuple(n for n in y if n not in x)


def _noise(row: Mapping[str, Any]) -> float | None:
    """SQNR; report.json has none for what is exact, nor for what was not measured."""
    exact = row["sqnr_db"] is None and row["cos"] == 1.0
    return math.inf if exact else row["sqnr_db"]


def _pair(a: Mapping[str, Any], b: Mapping[str, Any]) -> LayerPair:
    x, y = _noise(a), _noise(b)
    judged, gain = "alike", None
    if x is not None and y is not None and x != y:
        gain = y - x if math.isfinite(x) and math.isfinite(y) else None
        far = gain is None or abs(gain) > _ALIKE_DB
        judged = "alike" if not far else "better" if y > x else "worse"
    same = a["dtype"] == b["dtype"] and a["threshold"] == b["threshold"]
    return LayerPair(
        a["name"], a["type"], (a["dtype"], b["dtype"]), (a["threshold"], b["threshold"]),
        (a["cos"], b["cos"]), (x, y), gain, judged, not same or judged != "alike",
    )  # fmt: skip


def _summary(accuracy: tuple[Difference, ...], layers: tuple[LayerPair, ...]) -> str:
    cosine = next((row for row in accuracy if row.name == "output cosine"), None)
    counts = {word: sum(pair.judged == word for pair in layers) for word in ("better", "worse")}
    types = sum(pair.dtypes[0] != pair.dtypes[1] for pair in layers)
    said = []
    if cosine is not None and cosine.change:
        said.append(f"output cosine {cosine.first} → {cosine.second} ({cosine.change})")
    elif cosine is not None:
        said.append(f"output cosine {cosine.second} in both")
    said.append(f"{counts['better']} of {len(layers)} ops better by more than {_ALIKE_DB} dB, "
                f"{counts['worse']} worse")  # fmt: skip
    if types:
        said.append(f"{types} of another type")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."
