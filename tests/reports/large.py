"""A made-up report of a network with 300 ops: residual blocks, every kind of content."""

from __future__ import annotations

import math
import random

from tests.reports.sample import report
from tpuc.reports import Histogram, LayerRow, ReportData, Values, WeightRange

__all__ = ["large_report"]

BLOCK = ("Conv", "Conv", "Conv", "Add", "Relu")


def large_report(count: int = 300) -> ReportData:
    chance = random.Random(0)
    rows = [
        LayerRow("input", "Input", "f32", 1.0, -1.0, 1.0, 1.0, math.inf, shape=(1, 3, 224, 224))
    ]
    while len(rows) < count:
        number = len(rows) - 1
        kind = BLOCK[number % 5]
        reads = (
            (rows[-1].name,) if kind != "Add" else (rows[-1].name, rows[max(-4, -len(rows))].name)
        )
        rows.append(_row(chance, number, kind, reads))
    return report(layers=tuple(rows), model="large")


def _row(chance: random.Random, number: int, kind: str, reads: tuple[str, ...]) -> LayerRow:
    real = tuple(float(f"{chance.gauss(0, 2):.5g}") for _ in range(216))
    lowered = tuple(round(x * 16) / 16 for x in real)
    peak = max(map(abs, real))
    low, high = (tuple(side * chance.uniform(0.1, 1) for _ in range(512)) for side in (-1, 1))
    peaks = tuple(max(-a, b) for a, b in zip(low, high))
    return LayerRow(
        f"/backbone/layer{number // 5}/block.{number % 5}/{kind.lower()}/{kind}_output_0_{kind}",
        kind, "f16" if number % 29 == 0 else "si8", 0.9 * peak, -peak, peak,
        1 - chance.uniform(1e-6, 3e-2), chance.uniform(8, 45),
        "among the worst of the search" if number % 29 == 0 else "",
        reads, (1, 512, 28, 28), 231_211_008, 2_359_296,
        Histogram(tuple(float(chance.randrange(1, 99999)) for _ in range(2048)), peak),
        WeightRange(min(low), max(high), peaks, low, high) if kind == "Conv" else None,
        Values(real, lowered),
    )  # fmt: skip
