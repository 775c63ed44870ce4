"""Which ops are float before any search, and who decides that.

Strongest first: the user's `quantize.table`, `search=fp_forward`, shape ops, patterns of known
families, `quantize.part_quantize`. A search adds to what is decided here. `search.pre_qtable`
replaces all of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from tpuc.artifacts import QuantizeTable
from tpuc.config import Job
from tpuc.errors import TableError
from tpuc.ir import Graph
from tpuc.processors import Processor
from tpuc.search import qtable as qtable_text
from tpuc.search.float_ops import FloatOp, float_mode
from tpuc.search.fp_forward import fp_forward
from tpuc.search.merge import decided_by, merge
from tpuc.search.part_quantize import PartQuantize
from tpuc.search.patterns import Matched, match
from tpuc.search.shape_ops import shape_ops

__all__ = ["Decided", "decide"]

log = logging.getLogger("tpuc")


@dataclass(frozen=True)
class Decided:
    """Types that no search changes.

    Parameters
    ----------
    table : QuantizeTable
    header : Header
        What the table's text says at its top.
    block : str
        Family of networks that was recognised; empty if none.
    symmetric : tuple of str
        Ops whose calibrated range is made symmetric.
    """

    table: QuantizeTable
    header: qtable_text.Header
    block: str = ""
    symmetric: tuple[str, ...] = ()


def decide(job: Job, graph: Graph, processor: Processor) -> Decided:
    """Collect the rows of every rule that is on.

    Raises
    ------
    TableError : a table names an op that the model does not have, or can not be read
    ConfigError : fp_forward names an op that the model does not have, or a block without a way
    """
    part = _part(job)
    samples = job.calibration.input_num
    header = qtable_text.Header(samples, processor.name, part.header if part else "None")
    user = _read(job.quantize.table, graph)
    if job.quantize.mode.name not in ("INT8", "INT4") and job.search.method.name == "none":
        return Decided(user or QuantizeTable(), header)
    if job.search.pre_qtable is not None:
        return Decided(_read(job.search.pre_qtable, graph) or QuantizeTable(), header)
    matched, ops = _rules(job, graph, processor, part)
    for line in matched.messages:
        log.info("%s", line)
    table = merge(_in_graph(ops, graph), user)
    if table.choices:
        counts = ", ".join(f"{n} by {source}" for source, n in decided_by(table).items())
        log.info("types decided before any search: %s", counts)
    header = replace(header, messages=matched.messages)
    return Decided(table, header, matched.block, matched.symmetric)


def _part(job: Job) -> PartQuantize | None:
    mode = job.quantize.part_quantize
    operators = tuple(job.quantize.custom_operators or ())
    return PartQuantize(mode, operators) if mode else None


def _rules(
    job: Job, graph: Graph, processor: Processor, part: PartQuantize | None
) -> tuple[Matched, list[FloatOp]]:
    fp_type = job.search.fp_type.name
    matched, ops = Matched(), []
    if job.quantize.pattern_match:
        matched = match(graph, processor, fp_type, part)
        ops = [*matched.ops, *shape_ops(graph, processor, fp_type)]
    elif part is not None:
        mode = float_mode(processor, fp_type)
        types = [(v.name, n.op) for n in graph.nodes for v in n.outputs if n.op != "Input"]
        ops = [
            FloatOp(name, name, mode, "part_quantize", why)
            for name, why in part.float_ops(types).items()
        ]
    if job.search.method.name == "fp_forward":
        s = job.search
        inputs, outputs = s.fpfwd_inputs or (), s.fpfwd_outputs or ()
        ops += fp_forward(graph, inputs, outputs, s.fpfwd_blocks or (), processor, fp_type)
    return matched, ops


def _in_graph(ops: list[FloatOp], graph: Graph) -> list[FloatOp]:
    """Rows by the names of our graph (TPU-MLIR writes some under the name of what they become)."""
    names = {v.name for v in graph.values()}
    return [op if op.name in names else replace(op, name=op.op) for op in ops]


def _read(path: str | None, graph: Graph) -> QuantizeTable | None:
    if path is None:
        return None
    table = qtable_text.read(Path(path))
    known = {v.name for v in graph.values()}
    for name in table.choices:
        if name not in known:
            raise TableError(f"{path}: the model has no op '{name}'")
    return table
