"""The rows of a report: what became of each op."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tpuc.ir import Node
from tpuc.ir.macs import macs_of
from tpuc.pipeline.gathered import Gathered
from tpuc.reports import Histogram, LayerRow, Values, WeightRange

__all__ = ["layer_rows"]


def _weight_bytes(node: Node) -> int:
    values = [v for v in node.inputs if v is not None and v.is_weight]
    return sum(v.size * v.dtype.bits // 8 for v in values)


def _weights(node: Node) -> WeightRange | None:
    if node.op not in ("Conv", "Deconv", "MatMul", "Scale") or len(node.inputs) < 2:
        return None
    value = node.inputs[1]
    if value is None or value.data is None:
        return None
    data = value.data
    rows = data.reshape(data.shape[0], -1)
    if node.op == "MatMul":
        rows = data.reshape(-1, data.shape[-1]).T
    low, high = (tuple(float(v) for v in f(rows, axis=1)) for f in (np.min, np.max))
    peaks = tuple(max(-a, b) for a, b in zip(low, high))
    return WeightRange(float(data.min()), float(data.max()), peaks, low, high)


def _noise(cos: float, sqnr_db: float | None) -> float | None:
    """SQNR; infinite where every sample was equal."""
    return math.inf if sqnr_db is None and cos == 1.0 else sqnr_db


def layer_rows(g: Gathered, twins: Mapping[str, Node]) -> tuple[LayerRow, ...]:
    """One row for each op of the float network.

    Parameters
    ----------
    twins : mapping
        Lowered ops by name.
    """
    return tuple(_layer(g, node, twins) for node in g.top.nodes)


def _layer(g: Gathered, node: Node, twins: Mapping[str, Node]) -> LayerRow:
    twin = twins.get(node.name)
    entry = g.table.ranges.get(node.name) if g.table else None
    known = g.evaluated.layers.get(node.name) if g.evaluated else None
    values = g.evaluated.values.get(node.name) if g.evaluated else None
    histogram = None
    if g.calibrated and g.job.report.histograms and node.name in g.calibrated.histograms:
        counts, high = g.calibrated.histograms[node.name]
        histogram = Histogram(counts, high)
    return LayerRow(
        node.name,
        node.op,
        (twin.output.dtype if twin else node.output.dtype).value,
        entry.threshold if entry else None,
        entry.min if entry else None,
        entry.max if entry else None,
        known[0] if known else None,
        _noise(*known) if known else None,
        g.reasons.get(node.name, ""),
        tuple(v.producer.name if v.producer else v.name for v in node.activations),
        node.output.shape,
        macs_of(node),
        _weight_bytes(twin) if twin else 0,
        histogram,
        _weights(node),
        Values(*(tuple(v) for v in values)) if values else None,
    )
