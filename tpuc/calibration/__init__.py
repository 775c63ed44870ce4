"""Calibration: samples through the float graph to thresholds.

observing.py   the pass over the data       observers.py  what is remembered of a tensor
ordered.py     batches side by side         thresholds.py pure functions
selecting.py   observers to table rows      tuning.py     auto-tune
table.py       text of tables               symmetric.py  ranges of ops that a pattern names
part_asymmetric.py  tensors with a zero point in a build without

`calibrate` is the whole room; one pass over the data serves every method asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration.observers import TensorObserver
from tpuc.calibration.observing import Batch, Engine, Options, Results, observe
from tpuc.calibration.part_asymmetric import affine_ops, affine_tensors
from tpuc.calibration.selecting import (
    choose_thresholds,
    float8_row,
    four_bit_row,
    percentile,
    table_row,
)
from tpuc.calibration.tuning import tune
from tpuc.ir import Graph

__all__ = ["METHODS", "CalibrationResult", "Options", "calibrate", "observe"]

METHODS = (
    "kl",
    "mse",
    "max",
    "percentile9999",
    "aciq_gauss",
    "aciq_laplace",
    "torch_observer",
)
_TUNED = {"kl", "aciq_gauss", "aciq_laplace"}


@dataclass(frozen=True)
class CalibrationResult:
    """Tables by method, and what was seen of each tensor.

    Parameters
    ----------
    tables : dict of method to CalibrationTable
    histograms : dict of tensor name to (counts, bin width)
    kurtosis : dict of tensor name to float
    zeros : tuple of str
        Tensors that were zero in every sample.
    """

    tables: dict[str, CalibrationTable]
    histograms: dict[str, tuple[np.ndarray, float]]
    kurtosis: dict[str, float]
    zeros: tuple[str, ...] = ()


def calibrate(
    graph: Graph,
    engine: Engine,
    batches: Iterable[Batch],
    options: Options,
    tune_batch: Batch | None = None,
    results: Results | None = None,
) -> CalibrationResult:
    """Thresholds by every method of `options`, in one pass over the data.

    Parameters
    ----------
    batches : iterable of dict of input name to float32 array
        Each with a multiple of the graph's own batch.
    tune_batch : dict, optional
        Samples for auto-tune (methods kl, aciq_gauss, aciq_laplace); none: no tuning.
    results : callable (index, outputs), optional
        As `observe`.

    Raises
    ------
    DataError : an activation is NaN or infinite, or there are no samples
    """
    affine = frozenset(affine_tensors(graph)) if options.part_asymmetric else frozenset()
    observers = observe(graph, engine, batches, options, affine, results)
    named = affine_ops(graph) if options.part_asymmetric else ()
    chosen = {m: choose_thresholds(graph, observers, m, affine) for m in options.methods}
    tune_num, found = 0, {}
    if tune_batch is not None:
        tune_num = next(iter(tune_batch.values())).shape[0] // graph.inputs[0].shape[0]
        top = {n: o.abs_max for n, o in observers.items()}
        top |= {n: percentile(observers[n]) for n in affine}
        wanted = _TUNED | {"mse"} if options.tune_mse else _TUNED
        found = _tuned(engine, top, {m: t for m, t in chosen.items() if m in wanted}, tune_batch)
    tables = {}
    for method, thresholds in (chosen | found).items():
        ranges = _ranges(observers, thresholds, method, affine, options)
        four = _four_bit_rows(graph, observers, method) if options.four_bits else {}
        tables[method] = CalibrationTable(
            ranges, method, f"{graph.name}.mlir", options.samples, options.bins,
            tune_num if method in found else 0, four,
            asym_ops=named, fp8=options.eight_bit_floats,
        )  # fmt: skip
    return CalibrationResult(
        tables,
        {n: (o.histogram.counts, o.histogram.width) for n, o in observers.items()},
        {n: o.kurtosis() for n, o in observers.items()} if options.kurtosis else {},
        tuple(n for n, o in observers.items() if o.abs_max == 0.0),
    )


def _ranges(
    observers: Mapping[str, TensorObserver],
    thresholds: Mapping[str, float],
    method: str,
    affine: Collection[str],
    options: Options,
) -> dict[str, Range]:
    """Rows of a table."""
    if options.eight_bit_floats:
        return {n: float8_row(t) for n, t in thresholds.items()}
    return {
        n: table_row(observers[n], t, "percentile9999" if n in affine else method)
        for n, t in thresholds.items()
    }


def _four_bit_rows(
    graph: Graph, observers: Mapping[str, TensorObserver], method: str
) -> dict[str, Range]:
    thresholds = choose_thresholds(graph, observers, method, bits=4)
    return {n: four_bit_row(thresholds[n]) for n in observers}


def _tuned(
    engine: Engine,
    top: Mapping[str, float],
    thresholds: Mapping[str, Mapping[str, float]],
    batch: Batch,
) -> dict[str, dict[str, float]]:
    """Thresholds of every method after auto-tune."""
    printed = {  # TPU-MLIR tunes what it printed
        method: {n: round(t, 7) for n, t in found.items()} for method, found in thresholds.items()
    }
    return tune(printed, top, partial(engine.walk, batch))
