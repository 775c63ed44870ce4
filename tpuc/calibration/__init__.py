"""Calibration: samples through the float graph to thresholds.

thresholds.py  pure functions        observers.py  what is remembered of a tensor
tuning.py      auto-tune             table.py      text of tables
calibrate      one pass over the data serves every method asked for
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration.observers import TensorObserver
from tpuc.calibration.ordered import Gate, run_ordered
from tpuc.calibration.thresholds import kl_threshold
from tpuc.calibration.tuning import RunNode, tune
from tpuc.errors import DataError, Skip
from tpuc.ir import Graph, Node
from tpuc.ir.batch import with_batch

__all__ = ["METHODS", "CalibrationResult", "FloatEngine", "calibrate", "observe"]

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
_LAST_FIVE = {"mse", "aciq_gauss", "aciq_laplace"}
_LEAST = 1e-5

Batch = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FloatEngine:
    """The float engine, as calibration needs it; the pipeline fills it in.

    Parameters
    ----------
    run : callable
        (batch, observe): one batch, calling observe(name, array) for each op output.
    walk : callable
        (batch, visit): one batch, calling visit(node, live arrays by name) after each op.
    run_node : RunNode
        Runs one op with the weights it carries.
    """

    run: Callable[[Batch, Callable[[str, np.ndarray], None]], object]
    walk: Callable[[Batch, Callable[[Node, Mapping[str, np.ndarray]], None]], object]
    run_node: RunNode


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


class _Stopped(Exception):
    """Another batch failed; this one ends without a word."""


def _percentiles(count: int) -> list[float]:
    return [99.99 + i * (99.999999 - 99.99) / count for i in range(count)]


def observe(
    graph: Graph,
    engine: FloatEngine,
    batches: Iterable[Batch],
    methods: Sequence[str],
    samples: int,
    bins: int = 2048,
    threads: int = 2,
    kurtosis: bool = False,
) -> dict[str, TensorObserver]:
    """Stream all samples through the graph once.

    Raises
    ------
    DataError : an activation is NaN or infinite; names the op and the sample
    """
    names = [v.name for v in graph.values()]
    percentiles = _percentiles(len(names))
    wanted = frozenset([*methods, "kl", *(["kurtosis"] if kurtosis else [])])
    observers = {
        name: TensorObserver(name, wanted, bins, percentiles[i], samples, i >= len(names) - 5)
        for i, name in enumerate(names)
    }
    torch_observers = _torch_observers(names, bins) if "torch_observer" in methods else {}
    own = graph.inputs[0].shape[0]
    gate = Gate()

    def work(index: int, batch: Batch) -> None:
        rows = next(iter(batch.values())).shape[0] // own

        def note(name: str, array: np.ndarray) -> None:
            flat = np.ascontiguousarray(array, np.float32).reshape(rows, -1)
            if not gate.enter(name, index):
                raise _Stopped
            first = observers[name].seen
            bad = observers[name].update(flat)
            if bad is not None:
                raise DataError(
                    f"op '{name}': NaN or infinite activation in sample {first + bad}; "
                    "expected finite numbers. Hint: check the preprocessing of that sample"
                )
            for row in flat if name in torch_observers else ():
                _feed(torch_observers[name], row)
            gate.leave(name)

        with contextlib.suppress(_Stopped):
            engine.run(batch, note)

    if not run_ordered(batches, work, gate, threads):
        raise DataError("calibration: there are no samples")
    for name, observer in torch_observers.items():
        observers[name].torch_range = _torch_range(observer)
    return observers


def _torch_observers(names: list[str], bins: int) -> dict[str, object]:
    import torch
    from torch.ao.quantization import HistogramObserver

    return {
        n: HistogramObserver(bins=bins, dtype=torch.qint8, qscheme=torch.per_tensor_affine)
        for n in names
    }


def _feed(observer: object, row: np.ndarray) -> None:
    import torch

    observer(torch.from_numpy(row))  # type: ignore[operator]


def _torch_range(observer: object) -> tuple[float, float, float]:
    """(threshold, min, max) of a torch observer, asymmetric qint8."""
    scale, zero = (v.item() for v in observer.calculate_qparams())  # type: ignore[attr-defined]
    low, high = scale * (-128 - zero), scale * (127 - zero)
    return max(scale * max(128 + zero, 127 - zero), _LEAST), low, high


def calibrate(
    graph: Graph,
    engine: FloatEngine,
    batches: Iterable[Batch],
    methods: Sequence[str],
    samples: int,
    bins: int = 2048,
    tune_batch: Batch | None = None,
    threads: int = 2,
    kurtosis: bool = False,
) -> CalibrationResult:
    """Thresholds by every method in `methods`, in one pass over the data.

    Parameters
    ----------
    batches : iterable of dict of input name to float32 array
        Each with a multiple of the graph's own batch.
    samples : int
        How many samples all batches have together.
    tune_batch : dict, optional
        Samples for auto-tune (methods kl, aciq_gauss, aciq_laplace); none: no tuning.

    Raises
    ------
    DataError : an activation is NaN or infinite, or there are no samples
    """
    observers = observe(graph, engine, batches, methods, samples, bins, threads, kurtosis)
    tables = {}
    for method in methods:
        thresholds = _thresholds(graph, observers, method)
        tune_num = 0
        if tune_batch is not None and method in _TUNED:
            tune_num = next(iter(tune_batch.values())).shape[0] // graph.inputs[0].shape[0]
            thresholds = _tuned(graph, engine, observers, thresholds, tune_batch, tune_num, threads)
        ranges = {n: _row(observers[n], t, method) for n, t in thresholds.items()}
        tables[method] = CalibrationTable(
            ranges, method, f"{graph.name}.mlir", samples, bins, tune_num
        )
    return CalibrationResult(
        tables,
        {n: (o.histogram.counts, o.histogram.width) for n, o in observers.items()},
        {n: o.kurtosis() for n, o in observers.items()} if kurtosis else {},
        tuple(n for n, o in observers.items() if o.abs_max == 0.0),
    )


def _tuned(
    graph: Graph,
    engine: FloatEngine,
    observers: Mapping[str, TensorObserver],
    thresholds: Mapping[str, float],
    batch: Batch,
    tune_num: int,
    threads: int,
) -> dict[str, float]:
    printed = {n: round(t, 7) for n, t in thresholds.items()}  # TPU-MLIR tunes what it printed
    top = {n: o.abs_max for n, o in observers.items()}
    wide = with_batch(graph, tune_num)
    if isinstance(wide, Skip):
        raise DataError(
            f"auto-tune: {wide.reason}. Hint: calibration.tune_num=1, or 0 for no tuning"
        )
    return tune(wide, printed, top, partial(engine.walk, batch), engine.run_node, tune_num, threads)


def _thresholds(
    graph: Graph, observers: Mapping[str, TensorObserver], method: str
) -> dict[str, float]:
    inputs = {v.name for v in graph.inputs}
    found: dict[str, float] = {}
    for name, o in observers.items():
        if method == "torch_observer":
            found[name] = o.torch_range[0]
        elif method == "kl":
            found[name] = _kl(o)
        elif method == "max" or (method in _LAST_FIVE and name in inputs):
            found[name] = o.abs_max
        elif method == "percentile9999":
            found[name] = max(abs(o.edge("high")), abs(o.edge("low")))
        else:
            found[name] = o.mean(method)
    if method in _LAST_FIVE:
        _last_five(graph, observers, found)
    return {n: _LEAST if not t > _LEAST else t for n, t in found.items()}


def _kl(o: TensorObserver) -> float:
    if not len(o.histogram.counts):
        return min(1.0, o.abs_max)
    return min(kl_threshold(o.histogram.counts, o.histogram.width), o.abs_max)


def _last_five(
    graph: Graph, observers: Mapping[str, TensorObserver], found: dict[str, float]
) -> None:
    """The outputs' end of the graph keeps its full range where a percentile finds no outliers."""
    makers = {v.name: v.producer for v in graph.values()}
    for name in list(observers)[-5:][::-1]:
        o = observers[name]
        edge = np.float32(o.edge("absolute"))
        if edge != np.float32(o.abs_max):
            return
        found[name] = float(edge)
        maker = makers[name]
        if maker is not None and maker.op in ("Conv", "MatMul"):
            return


def _row(o: TensorObserver, threshold: float, method: str) -> Range:
    low, high = o.low, o.high
    if method == "percentile9999":
        low, high = -o.edge("low"), o.edge("high")
    elif method == "torch_observer":
        _, low, high = o.torch_range
    if abs(low) <= _LEAST and abs(high) <= _LEAST:
        low, high = (-_LEAST if low < 0 else 0.0), _LEAST
    return Range(round(threshold, 7), round(low, 7), round(high, 7))
