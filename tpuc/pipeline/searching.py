"""Stage search: thresholds and types found by trying."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.cache import StageCache, digest_file
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.config.search_checks import float_mode, is_four_bit_search
from tpuc.dataset import Samples
from tpuc.errors import ConfigError
from tpuc.ir import Graph
from tpuc.pipeline.emitting import predicted_microseconds
from tpuc.pipeline.references import float_tensors
from tpuc.processors import Processor
from tpuc.search import (
    Accuracy,
    Bench,
    CostModel,
    Goal,
    Journal,
    Limits,
    Objective,
    SearchResult,
    Small,
    Start,
    Trials,
    parse_compare_layers,
    search_four_bits,
    search_pareto,
    search_qtable,
    search_threshold,
)
from tpuc.search import qtable as qtable_text
from tpuc.search.saved import from_saved, to_saved

__all__ = [
    "LOG_NAMES",
    "Searched",
    "SearchInputs",
    "check_search_names",
    "search_job",
    "search_samples",
]

log = logging.getLogger("tpuc")

_BATCH = 4
LOG_NAMES = {
    "threshold": "Search_Threshold",
    "qtable": "Search_Qtable",
    "sensitive_layer": "SensitiveLayerSearch",
    "pareto": "Search_Pareto",
}
"""Log file of each method, as TPU-MLIR calls them."""


@dataclass(frozen=True)
class Searched:
    """Result of the stage."""

    result: SearchResult
    cached: bool


@dataclass(frozen=True)
class SearchInputs:
    """What a search works on.

    Parameters
    ----------
    graph_key : str
        Identity of the graph: what the cache knows it by.
    tables : mapping of method to CalibrationTable
    start : CalibrationTable
    base : QuantizeTable
        Ops decided before.
    outputs : sequence of dict
        Float outputs of the first samples, batch by batch, as far as they are known.
    """

    graph: Graph
    graph_key: str
    samples: Samples
    tables: Mapping[str, CalibrationTable]
    start: CalibrationTable
    base: QuantizeTable
    outputs: Sequence[Mapping[str, np.ndarray]] = ()


def search_samples(job: Job, dataset: Samples) -> Samples:
    """Samples that a search chooses by: the first of the dataset, as TPU-MLIR's."""
    return dataset[: job.search.inference_num]


def check_search_names(job: Job, graph: Graph, dataset: Samples | None) -> None:
    """Check early what a search will need of the network, the samples and the user's program.

    Raises
    ------
    ConfigError : as `search_job`
    """
    method, most = job.search.method.name, job.search.max_float_layers
    if method in LOG_NAMES and method != "threshold" and most > len(graph.nodes):
        raise ConfigError(
            f"search.max_float_layers: {most} is more than the {len(graph.nodes)} ops of the "
            f"network. Hint: search.max_float_layers={len(graph.nodes)}"
        )
    if method in LOG_NAMES and dataset is not None:
        _objective(job, graph, search_samples(job, dataset))


def search_job(
    job: Job, inputs: SearchInputs, processor: Processor, threads: int, cache: StageCache
) -> Searched:
    """Run `search.method`; from the cache, or on from its journal, where possible.

    Raises
    ------
    ConfigError : a name, rate or post_process does not fit the network
    """
    facts = _facts(job, inputs, processor)
    limits = {"max_seconds": job.search.max_seconds, "max_trials": job.search.max_trials}
    entry = cache.find("search", {**facts, **limits})
    if entry is not None:
        return Searched(from_saved(entry), True)
    path = cache.beside("search", facts, "journal.jsonl")
    journal = Journal(path)
    if len(journal):
        log.info("search: goes on after %d finished trials", len(journal))
    result = _run(job, inputs, processor, threads, journal)
    if result.stopped:  # not finished: the next run goes on from the journal
        return Searched(result, False)
    cache.get("search", {**facts, **limits}, lambda folder: to_saved(result, folder))
    path.unlink(missing_ok=True)  # its work is done; limits that were larger would change nothing
    return Searched(result, False)


def _facts(job: Job, inputs: SearchInputs, processor: Processor) -> dict[str, Any]:
    settings = {k: getattr(v, "name", v) for k, v in asdict(job.search).items()}
    for key in ("max_seconds", "max_trials"):
        settings.pop(key)
    post = job.search.post_process
    labels = inputs.samples.labels
    return {
        "graph": inputs.graph_key,
        "samples": list(inputs.samples.digests),
        "labels": None if labels is None else [int(v) for v in labels],
        "tables": {m: table_text.to_text(t) for m, t in inputs.tables.items()},
        "start": table_text.to_text(inputs.start),
        "base": qtable_text.to_text(inputs.base),
        "search": settings,
        "asymmetric": job.quantize.asymmetric,
        "post_process": digest_file(Path(post)) if post else "",
        "processor": {k: str(v) for k, v in vars(processor).items()},
    }


def _run(
    job: Job, inputs: SearchInputs, processor: Processor, threads: int, journal: Journal
) -> SearchResult:
    search = job.search
    bench = _bench(job, inputs, processor, threads)
    trials = Trials(bench, journal, Limits(search.max_seconds, search.max_trials))
    method = search.method.name
    if method == "threshold":
        benchmark = search.benchmark_method.name
        return search_threshold(trials, inputs.tables, inputs.base, benchmark)
    start = Start(inputs.start, inputs.base, float_mode(job, processor))
    screen = search.screen_types or search.transformer
    most = search.max_float_layers
    goal = Goal(search.expected_cos, most, screen, search.cluster, search.budget)
    small = _small(inputs) if is_four_bit_search(job) else None
    if small is not None and method == "qtable":
        wanted = search.expected_cos
        return search_four_bits(trials, inputs.tables, start, small, wanted, search.cluster)
    if method != "pareto":
        return search_qtable(trials, inputs.tables, start, goal, method)
    natural = _natural_types(inputs.graph, bench.lower(inputs.start, inputs.base))
    natural.update(dict.fromkeys(small.names if small else (), "INT4"))
    cost = CostModel(inputs.graph, processor, natural, _clock(job, bench, inputs, processor))
    return search_pareto(trials, inputs.tables, start, goal, cost, small)


def _small(inputs: SearchInputs) -> Small:
    """Ops that may be 4-bit: they have such a form, and nobody decided otherwise."""
    from tpuc.lowering.rules import can_be_four_bits

    nodes, decided = inputs.graph.nodes, inputs.base.choices
    return Small(tuple(n.name for n in nodes if can_be_four_bits(n) and n.name not in decided))


def _clock(
    job: Job, bench: Bench, inputs: SearchInputs, processor: Processor
) -> Callable[[QuantizeTable], float | None] | None:
    """Predicted time of a mix's instructions; None if the estimate is wanted."""
    if job.search.cost.name != "instructions":
        return None
    known: dict[str, float | None] = {}

    def clock(qtable: QuantizeTable) -> float | None:
        key = qtable_text.to_text(qtable)
        if key not in known:
            lowered = bench.lower(inputs.start, qtable)
            known[key] = predicted_microseconds(lowered, processor)
        return known[key]

    return clock


def _natural_types(graph: Graph, lowered: Graph) -> dict[str, str]:
    """Type of every op where no table decides it, by name."""
    kinds = {v.name: v.dtype for v in lowered.values()}
    found = {}
    for node in graph.nodes:
        kind = kinds.get(node.name)
        found[node.name] = kind.value.upper() if kind is not None and kind.is_float else "INT8"
    return found


def _bench(job: Job, inputs: SearchInputs, processor: Processor, threads: int) -> Bench:
    from tpuc.lowering import Lowerer
    from tpuc.simulator import IncrementalRunner

    graph = inputs.graph
    objective = _objective(job, inputs.graph, inputs.samples)
    names = objective.near.names if isinstance(objective, Accuracy) else objective.names
    batches = list(inputs.samples.batches(_batch_size(len(inputs.samples), threads)))
    floats = float_tensors(graph, batches, names, inputs.outputs, threads)
    reference = [objective.final(one) for one in floats]
    own = graph.inputs[0].shape[0] if graph.inputs[0].shape else 1
    lowerer, quantize = Lowerer(graph, processor), job.quantize
    return Bench(
        graph,
        lambda table, qtable: (
            lowerer.lower(table, quantize.mode.name, qtable, quantize.asymmetric).graph
        ),
        IncrementalRunner(batches, threads),
        IncrementalRunner([{n: a[:own] for n, a in batches[0].items()}], threads),
        reference,
        objective,
    )


def _objective(job: Job, graph: Graph, samples: Samples) -> Objective | Accuracy:
    search = job.search
    names, rates = parse_compare_layers(search.global_compare_layers, graph)
    post = _post_process(Path(search.post_process)) if search.post_process else None
    near = Objective(names, rates, post)
    if search.objective.name == "cos":
        return near
    labels = samples.labels
    if labels is None:
        raise ConfigError(
            "search.objective: accuracy needs labels, and the dataset has none. "
            "Hint: search.objective=cos"
        )
    return Accuracy(near, tuple(int(v) for v in labels))


def _post_process(path: Path) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """The user's `PostProcess(data)`: runs with the rights of whoever runs tpuc."""
    spec = importlib.util.spec_from_file_location(f"tpuc_post_process_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"search.post_process: {path} is no Python file; expected NAME.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's program raises
        raise ConfigError(
            f"search.post_process: {path} failed with {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, "PostProcess", None)
    if not callable(function):
        raise ConfigError(
            f"search.post_process: {path} has no function PostProcess; expected "
            "'def PostProcess(data): return data'"
        )
    return function


def _batch_size(samples: int, threads: int) -> int:
    """The largest divisor of the number of samples up to 8: all batches are of one size.

    Batches run side by side: the threads should end together.
    """
    sizes = [n for n in range(min(_BATCH, samples), 0, -1) if samples % n == 0]
    even = (n for n in sizes if 2 * n > sizes[0] and samples // n % threads == 0)
    return next(even, sizes[0])
