"""Checks that need the graph, before any slow stage."""

from __future__ import annotations

import logging
from pathlib import Path

from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.dataset import Samples
from tpuc.errors import ConfigError, TableError
from tpuc.ir import Graph
from tpuc.lowering import check_float8
from tpuc.pipeline.correcting import correction_remarks
from tpuc.processors import Processor
from tpuc.search import qtable as qtable_text

__all__ = ["check_graph"]

log = logging.getLogger("tpuc")


def check_graph(job: Job, graph: Graph, processor: Processor, dataset: Samples | None) -> None:
    """Check tables against the network; with stop_after=check also read a sample.

    Raises
    ------
    TableError : a table names ops that the network does not have, or lacks some
    ConfigError : the quantize table asks for a type that is not available
    DataError : the first sample can not be used
    """
    if job.search.cost.name == "instructions" and not (
        processor.instructions and processor.clock_mhz > 0
    ):
        raise ConfigError(
            f"search.cost: instructions need a processor with instructions and a clock; "
            f"{processor.name} has instructions '{processor.instructions}', clock_mhz "
            f"{processor.clock_mhz}. Hint: search.cost=roofline"
        )
    names = [v.name for v in graph.values()]
    if job.calibration.method.name == "from_file" and job.calibration.table is not None:
        table_text.check_table(table_text.read(Path(job.calibration.table)), names)
    if job.quantize.table is not None:
        ops = {n.name for n in graph.nodes}
        for name, choice in qtable_text.read(Path(job.quantize.table)).choices.items():
            processor.require(choice.mode)
            check_float8([job.quantize.mode.name, choice.mode])
            if name not in ops:
                raise TableError(f"{job.quantize.table}: the model has no op '{name}'")
    for remark in correction_remarks(job, dataset) if dataset is not None else ():
        log.warning("%s", remark)
    if job.stop_after == "check" and dataset is not None:
        for name, array in next(dataset[:1].batches(1)).items():
            low, high = float(array.min()), float(array.max())
            log.info("input '%s' of the first sample: %.4g to %.4g", name, low, high)
