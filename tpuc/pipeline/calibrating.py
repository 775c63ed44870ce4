"""Stage calibrate: samples through the float graph to a calibration table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.artifacts import CalibrationTable
from tpuc.cache import StageCache
from tpuc.calibration import METHODS, CalibrationResult
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.config.search_checks import FOUR_BIT_METHODS, is_four_bit_search
from tpuc.dataset import Samples, open_samples, select_files
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.progress import progress

__all__ = [
    "Calibrated",
    "CalibrationInputs",
    "calibrate_job",
    "kurtosis_text",
    "methods_of",
    "open_dataset",
]

AUTO_METHODS = ("kl", "mse", "max", "percentile9999")
"""Thresholds that `correction.auto` tries besides the job's own."""

_BATCH = 4
_NEAR = 10 << 20
"""Bytes of the largest tensor of the samples that a thread runs at once: fewer stay in the caches,
and two share what a run costs anyway."""


@dataclass(frozen=True)
class Calibrated:
    """Result of the stage.

    Parameters
    ----------
    table : CalibrationTable
        What the build is made with, unless a search finds a better one.
    tables : dict of method to CalibrationTable
        All that were measured in the same pass.
    histograms : dict of tensor name to (counts, largest |x|)
    kurtosis : dict of tensor name to float
    zeros : tuple of str
    cached : bool
    measured : tuple of str
        Methods of the pass that this run made; none if it came from the cache or a file.
    outputs : tuple of dict
        What the float network gave on the first samples, batch by batch, where a search will ask
        for it and this run made the pass.
    """

    table: CalibrationTable
    tables: dict[str, CalibrationTable]
    histograms: dict[str, tuple[tuple[float, ...], float]]
    kurtosis: dict[str, float]
    zeros: tuple[str, ...]
    cached: bool
    measured: tuple[str, ...] = ()
    outputs: tuple[Mapping[str, np.ndarray], ...] = ()


@dataclass(frozen=True)
class CalibrationInputs:
    """What the stage works on.

    Parameters
    ----------
    graph_key : str
        Identity of the graph: what the cache knows it by.
    samples : Samples, optional
        All of the dataset.
    together : tuple of str
        Methods of the sweep that this run belongs to: one pass over the data serves them all.
    """

    graph: Graph
    graph_key: str
    samples: Samples | None
    together: tuple[str, ...] = ()


def open_dataset(job: Job, graph: Graph, zoo: Path) -> Samples | None:
    """All samples of the dataset in their fixed order; None if the job names none."""
    from tpuc.zoo import resolve

    if job.dataset.path is None and job.dataset.list is None:
        return None
    path = resolve(job.dataset.path, zoo) if job.dataset.path else None
    listing = Path(job.dataset.list) if job.dataset.list else None
    return open_samples(select_files(path, listing), graph)


def calibrate_job(
    job: Job, inputs: CalibrationInputs, threads: int, cache: StageCache
) -> Calibrated:
    """The table: read from a file, or measured.

    Raises
    ------
    TableError : the table in the file does not belong to this network
    DataError : a sample can not be used
    """
    graph, samples = inputs.graph, inputs.samples
    given = _from_file(job, graph) if job.calibration.method.name == "from_file" else None
    if given is not None and job.search.method.name != "sensitive_layer":
        return given
    assert samples is not None
    chosen = samples[: job.calibration.input_num]
    tuning = _tuning_samples(job, graph, chosen)
    methods = methods_of(job)
    facts = {
        "graph": inputs.graph_key,
        "samples": list(chosen.digests),
        "tuning": list(tuning.digests) if tuning else [],
        **_settings(job),
    }
    groups = {" ".join(g): g for g in [methods, *_siblings(job, methods, inputs.together)]}
    measured: list[str] = []
    outputs: list[Mapping[str, np.ndarray]] = []

    def compute(folders: Mapping[str, Path]) -> None:
        places = {groups[name]: folder for name, folder in folders.items()}
        measured.extend(dict.fromkeys(m for group in places for m in group))
        outputs.extend(_measure(job, graph, (chosen, tuning), threads, places))

    place, cached = cache.get_one_of(
        "calibrate",
        {name: {**facts, "methods": group} for name, group in groups.items()},
        " ".join(methods),
        compute,
    )
    tables = {m: table_text.read(place / f"cali_table_{m}") for m in methods}
    notes: dict[str, Any] = json.loads((place / "notes.json").read_text())
    histograms = {n: (tuple(c), float(h)) for n, (c, h) in notes["histograms"].items()}
    # sensitive_layer starts from the user's table
    start = tables[_start_method(job, methods)] if given is None else given.table
    found = histograms, notes["kurtosis"], tuple(notes["zeros"])
    return Calibrated(start, tables, *found, cached, tuple(measured), tuple(outputs))


def _settings(job: Job) -> dict[str, Any]:
    """What the tables depend on, and what they hold besides 8-bit thresholds."""
    quantize, mode = job.quantize, job.quantize.mode.name
    more = [job.calibration.kurtosis, quantize.part_asymmetric, mode == "INT4", mode == "F8E4M3"]
    bins = job.calibration.histogram_bins
    return {"searching": _is_searching(job), "bins": bins, "more": more}


def _siblings(
    job: Job, methods: tuple[str, ...], together: tuple[str, ...]
) -> list[tuple[str, ...]]:
    """What the other runs of the sweep will ask for."""
    if _is_searching(job):
        return []
    return [(m,) for m in together if m in METHODS and m not in methods]


def _start_method(job: Job, methods: Sequence[str]) -> str:
    """Whose thresholds stand until a search finds better ones."""
    if is_four_bit_search(job):
        return job.calibration.method.name
    return "mse" if _is_searching(job) and "mse" in methods else methods[0]


def methods_of(job: Job) -> tuple[str, ...]:
    """Threshold methods that one pass over the data has to serve.

    A search compares those of `search.quantize_methods`, and starts from mse where that is one;
    `correction.auto` compares a few more than the job's own.
    """
    if is_four_bit_search(job):  # those of 8 bits are of the job's own method, as TPU-MLIR's
        asked = {m.lower() for m in job.search.quantize_methods}
        tried = [m for m in FOUR_BIT_METHODS if m in asked]
        return tuple(dict.fromkeys((*tried, job.calibration.method.name)))
    if _is_searching(job):
        return tuple(dict.fromkeys(m.lower() for m in job.search.quantize_methods))
    if job.correction.auto and job.calibration.method.name in METHODS:
        return tuple(dict.fromkeys((job.calibration.method.name, *AUTO_METHODS)))
    return (job.calibration.method.name,)


def _is_searching(job: Job) -> bool:
    return job.search.method.name in ("threshold", "qtable", "sensitive_layer", "pareto")


def _from_file(job: Job, graph: Graph) -> Calibrated:
    assert job.calibration.table is not None
    table = table_text.read(Path(job.calibration.table))
    table_text.check_table(table, [v.name for v in graph.values()])
    return Calibrated(table, {"from_file": table}, {}, {}, (), False)


def _tuning_samples(job: Job, graph: Graph, chosen: Samples) -> Samples | None:
    if job.calibration.tune_list is not None:
        files = select_files(None, Path(job.calibration.tune_list))
        return open_samples(files, graph)
    return chosen[: job.calibration.tune_num] if job.calibration.tune_num else None


def _measure(
    job: Job,
    graph: Graph,
    samples: tuple[Samples, Samples | None],
    threads: int,
    places: Mapping[tuple[str, ...], Path],
) -> list[Mapping[str, np.ndarray]]:
    """Measure every group of methods in one pass, each into its folder.

    Returns
    -------
    list of dict of str to ndarray
        Float outputs of the first batches, as far as a search goes.
    """
    from tpuc.calibration import Options, calibrate
    from tpuc.lowering import float_twin
    from tpuc.simulator import FloatEngine

    chosen, tuning = samples
    engine = FloatEngine(float_twin(graph), 1)  # several batches run side by side instead
    size = _batch_size(graph)
    batches = progress(chosen.batches(size), math.ceil(len(chosen) / size), "calibrating")
    bins, kurtosis = job.calibration.histogram_bins, job.calibration.kurtosis
    searching = _is_searching(job)
    methods = tuple(dict.fromkeys(m for group in places for m in group))
    affine = job.quantize.part_asymmetric
    four = job.quantize.mode.name == "INT4"
    eight = job.quantize.mode.name == "F8E4M3"
    options = Options(methods, len(chosen), bins, threads, kurtosis, searching, affine, four, eight)
    tune_batch = next(tuning.batches(len(tuning))) if tuning and not four else None
    outputs: dict[int, Mapping[str, np.ndarray]] = {}
    last = _shared(job, graph, len(chosen)) if searching else 0

    def keep(index: int, made: Mapping[str, np.ndarray]) -> None:
        if index * size < last:
            outputs[index] = made

    result = calibrate(graph, engine, batches, options, tune_batch, keep)
    _write(result, places)
    return [outputs[index] for index in sorted(outputs)]


def _write(result: CalibrationResult, places: Mapping[tuple[str, ...], Path]) -> None:
    """Tables and what was seen, into the folder of each group of methods."""
    notes = {
        "histograms": {n: _coarse(*h) for n, h in result.histograms.items() if len(h[0])},
        "kurtosis": result.kurtosis,
        "zeros": list(result.zeros),
    }
    for group, folder in places.items():
        for method in group:
            write_whole(folder / f"cali_table_{method}", table_text.to_text(result.tables[method]))
        write_whole(folder / "notes.json", json.dumps(notes))


def _shared(job: Job, graph: Graph, calibrated: int) -> int:
    """Samples of a search whose float outputs are those of the calibration; 0 or all of them.

    A run of the network that is filled up with repeated samples is another one for each.
    """
    count, own = job.search.inference_num, graph.inputs[0].shape[:1]
    return count if count <= calibrated and count % (own[0] if own else 1) == 0 else 0


def _batch_size(graph: Graph) -> int:
    """Runs of the network that a thread does at once."""
    largest = max((4 * v.size for v in graph.values()), default=1)
    return max(2, min(_BATCH, _NEAR // max(1, largest)))


def _coarse(counts: np.ndarray, width: float, bars: int = 64) -> tuple[list[float], float]:
    """A histogram with few bars, and the largest |x| that it reaches."""
    step = -(-len(counts) // bars)
    padded = np.pad(counts, (0, -len(counts) % step)).reshape(-1, step).sum(axis=1)
    return [float(c) for c in padded], float(width) * step * len(padded)


def kurtosis_text(kurtosis: dict[str, float], graph: Graph) -> str:
    """TPU-MLIR's `kurtosis_analysis`: heaviest tails first, candidates for another method."""
    types = {v.name: f"top.{n.op}" for n in graph.nodes for v in n.outputs}
    rows = sorted(kurtosis.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{name}  {value:.7f}  {types[name]}" for name, value in rows]
    return "\n".join(["# op_name   kurtosis   op_type", *lines]) + "\n"
