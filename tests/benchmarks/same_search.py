"""Our search on tables of somebody else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.config.folders import config_folder
from tpuc.dataset import open_samples, select_files
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Lowerer, float_twin
from tpuc.processors import load_processor
from tpuc.search import (
    Bench,
    Goal,
    Journal,
    Objective,
    Start,
    Trials,
    inferences,
    parse_compare_layers,
    search_qtable,
)
from tpuc.simulator import FloatEngine, IncrementalRunner

__all__ = ["losses_on"]

SAMPLES = 30


def losses_on(
    mlir: Path, pictures: Path, tables: Mapping[str, CalibrationTable], goal: tuple[float, int]
) -> tuple[list[float], list[str]]:
    """Loss of every candidate in the order of the search, and the ops, worst first."""
    graph = load_mlir(mlir)
    facts = yaml.safe_load((config_folder() / "processor" / "bm1684x.yaml").read_text())
    lowerer = Lowerer(graph, load_processor(facts))
    samples = open_samples(select_files(pictures, None), graph)[:SAMPLES]
    batches = list(samples.batches(6))
    names, rates = parse_compare_layers(None, graph)
    objective = Objective(names, rates)
    engine = FloatEngine(float_twin(graph), 2)
    reference = [
        objective.final(one)
        for batch in batches
        for one in inferences({n: a for n, a in engine.run(batch).items() if n in names}, graph)
    ]
    bench = Bench(
        graph,
        lambda table, choices: lowerer.lower(table, "INT8", choices).graph,
        IncrementalRunner(batches, 2),
        IncrementalRunner([{n: a[:1] for n, a in batches[0].items()}], 2),
        reference,
        objective,
    )
    start = Start(tables["mse"], QuantizeTable(), "F16")
    found = search_qtable(Trials(bench, Journal()), tables, start, Goal(*goal))
    losses = [float(x) for x in re.findall(r"outputs_cos_los = (\S+)", found.log)]
    return losses, [row.name for row in found.losses]
