"""Calibration table to the range of every tensor.

The type rule for a symmetric range: min < 0 makes a tensor signed, (-threshold, threshold);
otherwise it is unsigned, (0, threshold).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tpuc.artifacts import CalibrationTable, Range
from tpuc.ir import Graph, Node

__all__ = ["Ranges", "affine_tensors", "import_float8_ranges", "import_ranges"]

Ranges = dict[str, tuple[float, float]]
"""(min, max) by tensor name; tensors without an entry stay float."""

_UNIT = {"Sigmoid", "Softmax"}
_MAY_BE_AFFINE = {"SiLU", "GELU"}
_NON_NEGATIVE = {"Sigmoid", "Relu"}


def import_ranges(
    graph: Graph,
    table: CalibrationTable,
    origins: Mapping[str, str] | None = None,
    asymmetric: bool = False,
    unsigned: bool = True,
    four_bits: Collection[str] = (),
) -> Ranges:
    """Range of every output that the table knows (TPU-MLIR's import of a calibration table).

    `origins` names the tensors whose entries serve ops that the lowering made.

    asymmetric:       (min, max), also of SiLU and GELU that the table names in `#asym_op`
    otherwise:        (-threshold, threshold), or (0, threshold) if min >= 0
    Sigmoid, Softmax: (0, 1)
    Abs, Mul, Sub:    never asymmetric. Mul is unsigned if both operands are the same or all come
                      from Sigmoid or Relu; Sub is signed
    a fused relu:     the minimum is 0

    Results of ops in `four_bits` have those of the section `#int4_th`. Where nothing is
    `unsigned`, every range is (-max, max).
    """
    ranges: Ranges = {}
    own = affine_tensors(graph, table)
    for node in graph.nodes:
        for out in node.outputs:
            rows = table.int4 if out.name in four_bits else table.ranges
            entry = rows.get((origins or {}).get(out.name, out.name))
            if entry is not None:
                affine = asymmetric or out.name in own
                low, high = _range(node, entry, affine)
                ranges[out.name] = (low if unsigned else -high, high)
    return ranges


def import_float8_ranges(
    graph: Graph, table: CalibrationTable, origins: Mapping[str, str]
) -> Ranges:
    """Range of every output in F8E4M3: (-threshold, threshold), to a fused limit at most.

    TPU-MLIR compares the limit with sums in units of their scale instead, which cuts all of them.
    """
    ranges: Ranges = {}
    for node in graph.nodes:
        limit = node.attrs.get("relu_limit", -1.0) if node.attrs.get("do_relu") else -1.0
        for out in node.outputs:
            entry = table.ranges.get(origins.get(out.name, out.name))
            if entry is not None:
                high = entry.threshold
                high = min(high, float(limit)) if float(limit) > 0 else high  # type: ignore[arg-type]
                ranges[out.name] = (-high, high)
    return ranges


def affine_tensors(graph: Graph, table: CalibrationTable) -> frozenset[str]:
    """Results of SiLU and GELU that the table gives a zero point (section `#asym_op`)."""
    named = frozenset(table.asym_ops)
    return named & {n.name for n in graph.nodes if n.op in _MAY_BE_AFFINE}


def _range(node: Node, entry: Range, asymmetric: bool) -> tuple[float, float]:
    threshold, low = entry.threshold, entry.min
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
    if asymmetric and node.op != "Mul":
        return (0.0 if node.attrs.get("do_relu") else low), entry.max
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
