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

__all__ = ["candidates", "comparable", "log_on", "worst_ops"]

SAMPLES = 30


def log_on(
    mlir: Path, pictures: Path, tables: Mapping[str, CalibrationTable], goal: tuple[float, int]
) -> str:
    """Log of the search."""
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
    return found.log


def comparable(ours: str, theirs: str) -> list[tuple[float, float]]:
    """Losses of the same candidates in two logs.

    Given-up candidates are left out, and all that come after an op for which the two logs chose
    different thresholds: from there on the tables differ. That happens where two candidates are so
    near that the last bits of a float32 cosine decide.
    """
    pairs: list[tuple[float, float]] = []
    for mine, other in zip(_ops(ours), _ops(theirs)):
        pairs += [(float(a), float(b)) for (a, gave_up), (b, _) in zip(mine[1], other[1])
                  if not gave_up]  # fmt: skip
        if mine[0] != other[0]:
            break
    return pairs


def candidates(log: str) -> int:
    """How many candidates were run."""
    return log.count("outputs_cos_los =")


def worst_ops(log: str) -> list[str]:
    """Names, largest loss first."""
    return re.findall(r"the layer (\S+) is \d+ sensitive layer", log)


def _ops(log: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """(best method, [(loss, whether it was given up)]) of each op."""
    found = []
    for part in log.split("start to handle layer")[1:]:
        best = re.search(r"best_method = (\w+)", part)
        losses = re.findall(r"outputs_cos_los = ([\d.e+-]+)( or more)?", part)
        found.append((best[1] if best else "", losses))
    return found
