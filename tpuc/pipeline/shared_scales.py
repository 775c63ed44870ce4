"""Where values of very different size share one integer scale, the small ones are lost."""

from __future__ import annotations

from tpuc.artifacts import CalibrationTable
from tpuc.ir import Graph, Node, Value
from tpuc.reports import Note

__all__ = ["shared_scales"]

_FEW = 8
"""Steps of the scale that a joined part's threshold must reach."""

_FAR = 16
"""Ops that are named at most."""


def shared_scales(
    top: Graph, lowered: Graph, table: CalibrationTable | None, float_type: str
) -> list[Note]:
    """A note for each integer Concat of which an operand reaches only a few steps of the scale.

    Steps are threshold of the operand / scale of the result. A detector's boxes in pixels beside
    scores up to 1 is the usual case; cosine and SQNR, which large numbers decide, do not show it.
    The note has the rows of a quantize table that help: the Concat, and, as large numbers have
    large steps of their own, what computes them behind the last convolution or product.

    Parameters
    ----------
    float_type : str
        The processor's short float type.
    """
    if table is None:
        return []
    scales = {v.name: v.quant.scale for v in lowered.values() if v.quant is not None}
    found = []
    for node in top.nodes:
        if node.op != "Concat" or node.name not in scales:
            continue
        known = [v.name for v in node.activations if v.name in table.ranges]
        least = min(known, key=lambda name: table.ranges[name].threshold, default=None)
        if least is None:
            continue
        threshold, scale = table.ranges[least].threshold, scales[node.name]
        if threshold >= _FEW * scale:
            continue
        rows = [f"{name} {float_type}" for name in _rows(node, table, set(scales))]
        reason = (
            f"'{least}' with a threshold of {threshold:.4g} has {threshold / scale:.2g} steps of "
            f"the scale {scale:.4g} that it shares. A file with the lines {'; '.join(rows)} as "
            "quantize.table gives it, and what is large beside it, a float type"
        )
        found.append(Note("shared scale", reason, (node.name,)))
    return found


def _rows(join: Node, table: CalibrationTable, integers: set[str]) -> list[str]:
    """The Concat, then the integer ops behind its largest operand, back to those with weights."""
    known = [v for v in join.activations if v.name in table.ranges]
    largest = max(known, key=lambda v: table.ranges[v.name].threshold)
    names, waiting = [join.name], [largest]
    while waiting and len(names) < _FAR:
        node = waiting.pop(0).producer
        if node is None or node.op in ("Input", "Conv", "Deconv", "MatMul"):
            continue
        if node.name not in names:
            names += [node.name] if node.name in integers else []
            waiting += _computed(node)
    return names


def _computed(node: Node) -> list[Value]:
    return [v for v in node.activations if v.producer is not None]
