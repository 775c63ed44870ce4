"""Which ops are float before any search: what the user says, in `quantize.table`.

Precedence, strongest first: `quantize.table`, shape ops, patterns, a search.
"""

from __future__ import annotations

from pathlib import Path

from tpuc.artifacts import QuantizeTable
from tpuc.config import Job
from tpuc.errors import TableError
from tpuc.ir import Graph
from tpuc.processors import Processor
from tpuc.search import qtable as qtable_text

__all__ = ["decide"]


def decide(job: Job, graph: Graph, processor: Processor) -> QuantizeTable:
    """Types decided before a search, and who decided them.

    Raises
    ------
    TableError : a table names an op that the model does not have, or can not be read
    """
    path = job.search.pre_qtable or job.quantize.table
    if path is None:
        return QuantizeTable()
    table = qtable_text.read(Path(path))
    known = {n.name for n in graph.nodes}
    for name in table.choices:
        if name not in known:
            raise TableError(f"{path}: the model has no op '{name}'")
    return table
