"""Calibration table to the range of every tensor.

The type rule for a symmetric range: min < 0 makes a tensor signed, (-threshold, threshold);
otherwise it is unsigned, (0, threshold).
"""

from __future__ import annotations

from collections.abc import Mapping

from tpuc.artifacts import CalibrationTable
from tpuc.ir import Graph, Node

__all__ = ["Ranges", "import_ranges"]

Ranges = dict[str, tuple[float, float]]
"""(min, max) by tensor name; tensors without an entry stay float."""

_UNIT = {"Sigmoid", "Softmax"}
_NON_NEGATIVE = {"Sigmoid", "Relu"}


def import_ranges(
    graph: Graph,
    table: CalibrationTable,
    origins: Mapping[str, str] | None = None,
    unsigned: bool = True,
) -> Ranges:
    """Range of every output that the table knows (TPU-MLIR's import of a calibration table).

    `origins` names the tensors whose entries serve ops that the lowering made. Sigmoid and Softmax
    are (0, 1). Mul is unsigned if both operands are the same or all come from
    Sigmoid or Relu. Sub is signed. A fused relu makes the minimum 0. Where
    nothing is `unsigned`, every range is (-max, max).
    """
    ranges: Ranges = {}
    for node in graph.nodes:
        for out in node.outputs:
            entry = table.ranges.get((origins or {}).get(out.name, out.name))
            if entry is not None:
                low, high = _range(node, entry.threshold, entry.min)
                ranges[out.name] = (low if unsigned else -high, high)
    return ranges


def _range(node: Node, threshold: float, low: float) -> tuple[float, float]:
    if node.op in _UNIT and not node.attrs.get("log"):
        return 0.0, 1.0
    if node.op == "Softmax":
        return 0.0, 1.0
    if node.op == "Abs":
        return -threshold, threshold
    if node.op == "Mul" and _unsigned_product(node):
        return 0.0, threshold
    if node.op == "Sub":
        return (-threshold if low < 0 else -1e-5), threshold
    if node.attrs.get("do_relu"):
        return 0.0, threshold
    return (-threshold if low < 0 else 0.0), threshold


def _unsigned_product(node: Node) -> bool:
    operands = node.activations
    if len(operands) == 2 and operands[0] is operands[1]:
        return True
    makers = [v.producer.op if v.producer else "" for v in operands]
    return len(operands) == len(node.inputs) and all(m in _NON_NEGATIVE for m in makers)


def is_signed(ranges: Mapping[str, tuple[float, float]], name: str) -> bool:
    """True if the tensor gets a signed type."""
    return ranges[name][0] < 0
