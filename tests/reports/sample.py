"""A small report with every kind of content, and hostile names."""

from __future__ import annotations

import math

from tpuc.reports import (
    Accuracy,
    Artifact,
    Cost,
    Histogram,
    LayerRow,
    Note,
    ReportData,
    SweepRow,
    Timing,
    WeightRange,
)

HOSTILE = "\"><script>alert('x')</script>&{{7*7}}"


def layers() -> tuple[LayerRow, ...]:
    histogram = Histogram((100.0, 50.0, 10.0, 0.0, 2.0), 5.0)
    weights = WeightRange(-1.0, 0.5, (0.01, 1.0))
    return (
        LayerRow("input", "Input", "f32", 1.0, -1.0, 1.0, 1.0, math.inf, shape=(1, 3, 8, 8)),
        LayerRow(
            *("conv", "Conv", "si8", 2.5, -5.0, 4.0, 0.95, 12.0),
            inputs=("input",),
            shape=(1, 4, 8, 8),
            macs=6912,
            weight_bytes=108,
            histogram=histogram,
            weights=weights,
        ),
        LayerRow("relu", "Relu", "ui8", 9.0, 0.0, 4.0, 0.96, 13.0, inputs=("conv",)),
        LayerRow(HOSTILE, "MatMul", "f16", None, None, None, None, math.nan, "said the table"),
    )


def report(**changes: object) -> ReportData:
    facts = {
        "recipe": "digits",
        "model": "digits",
        "processor": "bm1684x",
        "mode": "INT8",
        "layers": layers(),
        "accuracy": Accuracy(20, 0.9995, 0.99, 30.0, 0.75, 0.749, 0.92, 0.92, 0.95),
        "cost": Cost(6912, 108, 432),
        "timings": (Timing("import", 0.4), Timing("calibrate", 3.0, cached=True)),
        "artifacts": (Artifact("digits.mlir", 10, "ab" * 32, "Top MLIR"),),
        "skipped": (Note("search", "search.method is none", ("a", "b")),),
        "command": "tpuc recipe=digits",
        "calibration_facts": {"method": "kl", "samples": 20},
        "versions": {"tpuc": "0.1.0"},
    }
    return ReportData(**{**facts, **changes})  # type: ignore[arg-type]


def sweep() -> tuple[SweepRow, ...]:
    def run(number: int, cos: float, size: int) -> SweepRow:
        overrides = (f"calibration={number}",)
        accuracy = Accuracy(20, cos, cos - 0.01, 30.0)
        return SweepRow(overrides, f"tpuc x={number}", str(number), "done", "", accuracy,
                        bmodel_bytes=size, seconds=float(number), has_page=number > 0)  # fmt: skip

    failed = SweepRow((HOSTILE,), "tpuc", "3", "failed", "ConfigError: " + HOSTILE)
    return run(0, 0.99, 1000), run(1, 0.999, 2000), run(2, 0.98, 1500), failed
