"""The pass over the data: every sample through the float graph, every tensor to its observer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tpuc.calibration.observers import TensorObserver
from tpuc.calibration.ordered import Gate, run_ordered
from tpuc.calibration.tuning import Visit
from tpuc.errors import DataError
from tpuc.ir import Graph

__all__ = ["LEAST", "Batch", "Engine", "Options", "Results", "observe"]

LEAST = 1e-5
"""Smallest threshold that TPU-MLIR writes."""

Batch = Mapping[str, np.ndarray]
Results = Callable[[int, Batch], None]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Parameters
    ----------
    methods : tuple of str
    samples : int
        How many samples all batches have together.
    bins : int
        Of the first histogram of each tensor.
    threads : int
        Batches that run side by side.
    kurtosis : bool
        Also measure the kurtosis of every tensor.
    tune_mse : bool
        Auto-tune mse as well, as TPU-MLIR's searches do and its plain calibration does not.
        (Tuning can not change max and percentile9999: they start at its upper end.)
    part_asymmetric : bool
        Give results of SiLU and GELU that only Conv and MatMul read a zero point.
    four_bits : bool
        Also find thresholds for 4 bits (kl, mse, max, percentile9999).
    eight_bit_floats : bool
        Rows of the table are (-threshold, threshold), as F8E4M3 has them.
    """

    methods: tuple[str, ...]
    samples: int
    bins: int = 2048
    threads: int = 2
    kurtosis: bool = False
    tune_mse: bool = False
    part_asymmetric: bool = False
    four_bits: bool = False
    eight_bit_floats: bool = False


class Engine(Protocol):
    """The float network, as calibration needs it: `simulator.FloatEngine`."""

    def run(self, feeds: Batch, observe: Callable[[str, np.ndarray], None], /) -> Batch:
        """One batch, calling observe(name, array) for each op output; arrays live for the call.

        Its outputs by name, which stay.
        """

    def walk(self, feeds: Batch, visit: Visit, /) -> object:
        """One batch, calling visit(node, again) after each op; see `tuning.tune`."""


class _Stopped(Exception):
    """Another batch failed; this one ends without a word."""


def _percentiles(count: int) -> list[float]:
    return [99.99 + i * (99.999999 - 99.99) / count for i in range(count)]


def observe(
    graph: Graph,
    engine: Engine,
    batches: Iterable[Batch],
    options: Options,
    affine: Collection[str] = (),
    results: Results | None = None,
) -> dict[str, TensorObserver]:
    """Stream all samples through the graph once; of those in `affine` percentiles are kept too.

    Parameters
    ----------
    results : callable (index, outputs), optional
        Is given the float outputs of every batch, in any order, by several threads.

    Raises
    ------
    DataError : an activation is NaN or infinite (names the op and the sample), or no samples
    """
    names = [v.name for v in graph.values()]
    observers = _observers(names, options, affine)
    torch_observers: dict[str, object] = {}
    if "torch_observer" in options.methods:
        torch_observers = _torch_observers(names, options.bins)
    gate = Gate()

    def take(index: int, name: str, rows: np.ndarray) -> None:
        if not gate.enter(name, index):
            raise _Stopped
        _update(observers[name], rows)
        for row in rows if name in torch_observers else ():
            _feed(torch_observers[name], row)
        gate.leave(name)

    def work(index: int, batch: Batch) -> None:
        count = next(iter(batch.values())).shape[0] // graph.inputs[0].shape[0]

        def note(name: str, array: np.ndarray) -> None:
            if name in observers:  # not what lies within an op that is run as several, as Mod is
                take(index, name, _rows(array, count))

        with contextlib.suppress(_Stopped):
            made = engine.run(batch, note)
            if results is not None:
                results(index, made)

    if not run_ordered(batches, work, gate, options.threads):
        raise DataError("calibration: there are no samples")
    for name, observer in torch_observers.items():
        observers[name].torch_range = _torch_range(observer)
    return observers


def _rows(array: np.ndarray, count: int) -> np.ndarray:
    """Samples as rows; no figure depends on the order within one, so none is copied to get it."""
    if array.ndim == 4 and not array.flags.c_contiguous:
        array = array.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(array, np.float32).reshape(count, -1)


def _observers(
    names: list[str], options: Options, affine: Collection[str]
) -> dict[str, TensorObserver]:
    extra = ["kurtosis"] if options.kurtosis else []
    wanted = frozenset([*options.methods, "kl", *extra])  # the report draws the histograms
    both = wanted | {"percentile9999"}
    percentiles = _percentiles(len(names))
    last = len(names) - 5
    return {
        name: TensorObserver(
            name,
            both if name in affine else wanted,
            options.bins,
            percentiles[i],
            options.samples,
            i >= last,
            options.four_bits,
        )
        for i, name in enumerate(names)
    }


def _update(observer: TensorObserver, rows: np.ndarray) -> None:
    first = observer.seen
    bad = observer.update(rows)
    if bad is not None:
        raise DataError(
            f"op '{observer.name}': NaN or infinite activation in sample {first + bad}; "
            "expected finite numbers. Hint: check the preprocessing of that sample"
        )


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
    return max(scale * max(128 + zero, 127 - zero), LEAST), low, high
