"""Observers to thresholds and table rows, with TPU-MLIR's special rules."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from tpuc.artifacts import Range
from tpuc.calibration.observers import TensorObserver
from tpuc.calibration.observing import LEAST
from tpuc.calibration.thresholds import kl_threshold
from tpuc.ir import Graph

__all__ = ["choose_thresholds", "float8_row", "four_bit_row", "percentile", "table_row"]

_LAST_FIVE = {"mse", "aciq_gauss", "aciq_laplace"}
"""Methods that keep the full range of inputs and, without outliers, of the last tensors."""


def choose_thresholds(
    graph: Graph,
    observers: Mapping[str, TensorObserver],
    method: str,
    affine: Collection[str] = (),
    bits: int = 8,
) -> dict[str, float]:
    """Threshold of every tensor by one method, before tuning; percentiles for those in `affine`.

    4 bits: by kl, mse, max and percentile9999 only; the last two are those of 8 bits.
    """
    inputs = {v.name for v in graph.inputs}
    found: dict[str, float] = {}
    if method == "kl":
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            levels = 2 ** (bits - 1)
            found = dict(zip(observers, pool.map(partial(_kl, levels=levels), observers.values())))
    for name, o in observers.items() if method != "kl" else ():
        if method == "torch_observer":
            found[name] = o.torch_range[0]
        elif method == "max" or (method in _LAST_FIVE and name in inputs):
            found[name] = o.abs_max
        elif method == "percentile9999":
            found[name] = percentile(o)
        else:
            found[name] = o.mean(method if bits == 8 else f"{method}{bits}")
    if method in _LAST_FIVE:
        _last_five(graph, observers, found)
    cap = 1.0 if method == "kl" else np.inf  # TPU-MLIR has no histogram of them
    found |= {n: min(percentile(observers[n]), cap) for n in affine}
    return {n: LEAST if not t > LEAST else t for n, t in found.items()}


def four_bit_row(threshold: float) -> Range:
    """Row of the section `#int4_th`: (-threshold * 8 / 7, threshold), whatever the sign."""
    return Range(round(threshold, 7), round(-threshold * 8.0 / 7.0, 7), round(threshold, 7))


def float8_row(threshold: float) -> Range:
    """Row of F8E4M3, rounded as it is printed."""
    high = round(threshold if threshold > LEAST else LEAST, 7)
    return Range(high, -high, high)


def percentile(o: TensorObserver) -> float:
    """The larger of both percentiles."""
    return max(abs(o.edge("high")), abs(o.edge("low")))


def _kl(o: TensorObserver, levels: int = 128) -> float:
    if not len(o.histogram.counts):
        return min(1.0, o.abs_max)
    return min(kl_threshold(o.histogram.counts, o.histogram.width, levels), o.abs_max)


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


def table_row(o: TensorObserver, threshold: float, method: str) -> Range:
    """Row of the calibration table, rounded as it is printed."""
    low, high = o.low, o.high
    if method == "percentile9999":
        low, high = -o.edge("low"), o.edge("high")
    elif method == "torch_observer":
        _, low, high = o.torch_range
    if abs(low) <= LEAST and abs(high) <= LEAST:
        low, high = (-LEAST if low < 0 else 0.0), LEAST
    return Range(round(threshold, 7), round(low, 7), round(high, 7))
