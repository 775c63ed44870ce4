"""Stage evaluate: the lowered network against the float one, every layer, on the same samples."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpuc.cache import StageCache
from tpuc.config import Job
from tpuc.dataset import Samples, open_samples, select_files
from tpuc.errors import ConfigError
from tpuc.evaluation.metrics import Similarity
from tpuc.evaluation.pairs import ValuePairs
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.progress import progress

__all__ = ["Evaluated", "check_judges", "choose_samples", "evaluate", "fresh_samples"]

_BATCH = 4


@dataclass(frozen=True)
class Evaluated:
    """Result of the stage; figures are means over samples.

    Parameters
    ----------
    layers : dict of op name to (cosine, SQNR in dB or None)
    outputs : list of (mean cosine, least cosine, SQNR in dB or None), one for each output
    agreement : float, optional
        Share of samples where both choose the same class; None if the output is no class vector.
    values : dict of op name to (float values, lowered values)
    """

    samples: int
    layers: dict[str, tuple[float, float | None]]
    outputs: list[tuple[float, float, float | None]]
    agreement: float | None
    cached: bool
    values: dict[str, tuple[list[float], list[float]]]


def choose_samples(
    job: Job,
    graph: Graph,
    dataset: Samples | None,
    zoo: Path,
    used_before: int = 0,
    task: Samples | None = None,
) -> Samples | None:
    """Samples to compare on: the task's, else evaluation.path, else those that chose nothing.

    Parameters
    ----------
    used_before : int
        Samples from the beginning on that corrections used.
    task : Samples, optional
    """
    from tpuc.zoo import resolve

    count = job.evaluation.input_num
    if count == 0:
        return None
    if task is not None:
        return task[:count]
    if job.evaluation.path is not None:
        files = select_files(resolve(job.evaluation.path, zoo), None)
        return open_samples(files, graph)[:count]
    fresh = fresh_samples(job, dataset, used_before)
    return None if fresh is None else fresh[:count]


def fresh_samples(job: Job, dataset: Samples | None, used_before: int = 0) -> Samples | None:
    """Samples of the dataset that chose nothing; all if there are none.

    Those that no search chose by, where it chose by the labels: `check_judges` wants them apart.
    """
    if dataset is None:
        return None
    searched = job.search.inference_num if job.search.method.name != "none" else 0
    fresh = dataset[max(job.calibration.input_num, searched, used_before) :]
    if not len(fresh) and _searches_by_labels(job):
        fresh = dataset[searched:]
    return fresh if len(fresh) else dataset


def _searches_by_labels(job: Job) -> bool:
    search = job.search
    return search.method.name in ("threshold", "qtable", "sensitive_layer", "pareto") and (
        search.objective.name == "accuracy"
    )


def check_judges(job: Job, dataset: Samples | None, judges: Samples | None) -> None:
    """A search by labels is judged on other samples than those it chose by, whatever their names.

    Raises
    ------
    ConfigError : some samples would choose and judge
    """
    if dataset is None or judges is None or not _searches_by_labels(job):
        return
    chosen = set(dataset[: job.search.inference_num].digests)
    both = len(chosen & set(judges.digests))
    if both:
        raise ConfigError(
            f"search.objective: accuracy chooses by {len(chosen)} samples, and {both} of them are "
            f"among the {len(judges)} that judge; expected other samples to judge. "
            "Hint: search.inference_num, evaluation.path, search.objective=cos"
        )


def evaluate(
    graphs: tuple[Graph, Graph], samples: Samples, key: dict[str, Any], kept: int, threads: int,
    cache: StageCache,
) -> Evaluated:  # fmt: skip
    """Run both networks and compare; from the cache where possible.

    Parameters
    ----------
    graphs : (float, lowered)
    key : dict
        What identifies both graphs.
    kept : int
        Values of every tensor to keep.
    """
    facts = {**key, "samples": list(samples.digests), "kept": kept}

    def compute(folder: Path) -> None:
        found = _compare(*graphs, samples, kept, threads)
        write_whole(folder / "evaluation.json", json.dumps(found))

    place, cached = cache.get("evaluate", facts, compute)
    found = json.loads((place / "evaluation.json").read_text())
    layers = {n: (float(c), s) for n, (c, s) in found["layers"].items()}
    outputs = [(float(a), float(b), s) for a, b, s in found["outputs"]]
    return Evaluated(len(samples), layers, outputs, found["agreement"], cached, found["values"])


def _compare(
    top: Graph, lowered: Graph, samples: Samples, kept: int, threads: int
) -> dict[str, Any]:
    from tpuc.lowering import float_twin
    from tpuc.simulator import FloatEngine, Program

    runner, program = FloatEngine(float_twin(top), threads), Program(lowered, threads)
    shared = _shared(top, lowered)
    layers = {name: Similarity() for name in shared}
    values = {name: ValuePairs(name, kept, len(samples)) for name in shared} if kept else {}
    outputs = [Similarity() for _ in top.outputs]
    classes: list[tuple[np.ndarray, np.ndarray]] = []
    total = math.ceil(len(samples) / _BATCH)
    for batch in progress(samples.batches(_BATCH), total, "comparing"):
        real = runner.run(batch, list(shared))
        ours = program.run(batch, observe=list(shared.values()))
        for name, twin in shared.items():
            pair = _rows(real[name], batch, top), _rows(ours[twin], batch, top)
            layers[name].add(*pair)
            if kept:
                values[name].add(*pair)
        pairs = list(zip(top.outputs, lowered.outputs))
        for similarity, (a, b) in zip(outputs, pairs):
            similarity.add(_rows(real[a.name], batch, top), _rows(ours[b.name], batch, top))
        first = pairs[0]
        classes.append((real[first[0].name], ours[first[1].name]))
    return {
        "layers": {n: (float(np.mean(s.cos)), s.mean_sqnr()) for n, s in layers.items()},
        "outputs": [(float(np.mean(s.cos)), float(min(s.cos)), s.mean_sqnr()) for s in outputs],
        "agreement": _agreement(classes, len(samples)),
        "values": {name: found.result() for name, found in values.items()},
    }


def _shared(top: Graph, lowered: Graph) -> dict[str, str]:
    """Float tensor to the lowered tensor that stands for it."""
    known = {v.name for v in lowered.values()}
    return {v.name: v.name for v in top.values() if v.name in known and v.shape}


def _rows(array: np.ndarray, batch: dict[str, np.ndarray], graph: Graph) -> np.ndarray:
    count = next(iter(batch.values())).shape[0] // graph.inputs[0].shape[0]
    return array.reshape(count, -1)


def _agreement(pairs: list[tuple[np.ndarray, np.ndarray]], count: int) -> float | None:
    """Share of samples where both choose the same class; None if the output is no class vector."""
    real = np.concatenate([a for a, _ in pairs])
    ours = np.concatenate([b for _, b in pairs])
    flat = real.reshape(len(real), -1)
    if flat.shape[1] < 2 or len(real) != count or max(real.shape[1:]) != flat.shape[1]:
        return None
    return float(np.mean(flat.argmax(1) == ours.reshape(len(ours), -1).argmax(1)))
