"""Lowering as a run does it, and what identifies the result for the stage cache."""

from __future__ import annotations

from typing import Any

from tpuc.artifacts import QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.lowering import Groups, Lowered, Lowerer
from tpuc.pipeline.gathered import Gathered
from tpuc.search import qtable as qtable_text

__all__ = ["lower_job", "lowered_key"]


def lower_job(g: Gathered, choices: QuantizeTable) -> Lowered:
    """Lower the float graph, corrected where it was, with the given types of single ops."""
    graph = g.corrected.graph if g.corrected is not None else g.top
    quantize = g.job.quantize
    groups = Groups(quantize.q_group_size, quantize.q_symmetric)
    mode, asymmetric = quantize.mode.name, quantize.asymmetric
    lowerer = Lowerer(graph, g.processor, groups=groups)
    return lowerer.lower(g.table, mode, choices, asymmetric)


def lowered_key(job: Job, g: Gathered, graph_key: str) -> dict[str, Any]:
    """What decides a lowered graph: float graph, table, types, processor."""
    table = table_text.to_text(g.table) if g.table else ""
    facts = {k: str(v) for k, v in vars(g.processor).items()}
    return {
        "graph": graph_key,
        "table": table,
        "mode": job.quantize.mode.name,
        "asymmetric": job.quantize.asymmetric,
        "groups": [job.quantize.q_group_size, job.quantize.q_symmetric],
        "qtable": qtable_text.to_text(g.choices),
        "processor": facts,
    }
