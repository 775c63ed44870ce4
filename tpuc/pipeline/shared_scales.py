"""Where values of very different size share one integer scale, the small ones are lost."""

from __future__ import annotations

from tpuc.artifacts import CalibrationTable
from tpuc.ir import Graph
from tpuc.reports import Note

__all__ = ["shared_scales"]

_FEW = 8
"""Steps of the scale that a joined part's threshold must reach."""


def shared_scales(top: Graph, lowered: Graph, table: CalibrationTable | None) -> list[Note]:
    """A note for each integer Concat of which an operand reaches only a few steps of the scale.

    Steps are threshold of the operand / scale of the result. A detector's boxes in pixels beside
    scores up to 1 is the usual case; cosine and SQNR, which large numbers decide, do not show it.
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
        reason = (
            f"'{least}' with a threshold of {threshold:.4g} has {threshold / scale:.2g} steps of "
            f"the scale {scale:.4g} that it shares; give '{node.name}' a float type "
            "(quantize.table), or end the network before it (model.output_names)"
        )
        found.append(Note("shared scale", reason, (node.name,)))
    return found
