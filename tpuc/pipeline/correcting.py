"""Stage correct: weights and biases that quantization loses less of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.cache import StageCache
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.correction import (
    Bench,
    Corrected,
    LayerNote,
    Learning,
    Trial,
    correct_biases,
    learn_rounding,
    output_cosine,
    try_all,
)
from tpuc.dataset import Samples
from tpuc.errors import ConfigError
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir
from tpuc.pipeline.smoothing import Step
from tpuc.processors import Processor
from tpuc.reports import CorrectedLayer, CorrectionStep, CorrectionView
from tpuc.search import qtable as qtable_text

__all__ = [
    "CorrectedBuild",
    "CorrectionInputs",
    "correct_job",
    "correction_samples",
    "correction_view",
    "is_correcting",
    "used_until",
]

_BATCH = 8


@dataclass(frozen=True)
class CorrectedBuild:
    """Result of the stage.

    Parameters
    ----------
    chosen : str
        What `correction.auto` kept; empty without it.
    """

    graph: Graph
    table: CalibrationTable
    steps: tuple[Step, ...] = ()
    chosen: str = ""
    trials: tuple[Trial, ...] = ()
    cached: bool = False


@dataclass(frozen=True)
class CorrectionInputs:
    """What the stage works on.

    Parameters
    ----------
    tables : dict of name to CalibrationTable
        The build's own first; `auto` tries the others too.
    learn, judge : Samples
        That corrections learn from, and that `auto` compares on.
    """

    graph: Graph
    graph_key: str
    tables: dict[str, CalibrationTable]
    choices: QuantizeTable
    learn: Samples
    judge: Samples | None


def is_correcting(job: Job) -> bool:
    """Whether the job has the stage."""
    correction = job.correction
    return correction.auto or correction.bias_correction or correction.adaround


def correction_samples(job: Job, dataset: Samples) -> tuple[Samples, Samples | None]:
    """Samples to learn from, and for `auto` the ones to choose by: others.

    Raises
    ------
    ConfigError : none are left to choose by
    """
    c = job.correction
    count = max(
        c.bc_inference_num if c.bias_correction or c.auto else 1,
        c.adaround_num if c.adaround or c.auto else 1,
    )
    learn = dataset[:count]
    if not c.auto:
        return learn, None
    fresh = max(count, job.calibration.input_num)
    judge = dataset[fresh : fresh + c.auto_num] if len(dataset) > fresh else dataset[count:]
    if not len(judge):
        raise ConfigError(
            f"correction.auto: all {len(dataset)} samples are learned from, and none is left to "
            f"choose by. Hint: correction.adaround_num={max(1, len(dataset) * 2 // 3)}"
        )
    return learn, judge[: c.auto_num]


def used_until(dataset: Samples, learn: Samples, judge: Samples | None) -> int:
    """Index in the dataset behind the last sample that corrections use."""
    last = judge.items[-1] if judge else learn.items[-1]
    return dataset.items.index(last) + 1


def correct_job(
    job: Job, inputs: CorrectionInputs, processor: Processor, threads: int, cache: StageCache
) -> CorrectedBuild:
    """Correct as the job says; from the cache where possible."""
    facts = {
        "graph": inputs.graph_key,
        "tables": {n: table_text.to_text(t) for n, t in inputs.tables.items()},
        "choices": qtable_text.to_text(inputs.choices),
        "learn": list(inputs.learn.digests),
        "judge": list(inputs.judge.digests) if inputs.judge is not None else [],
        "correction": asdict(job.correction),
        "seed": job.seed,
        "processor": {k: str(v) for k, v in vars(processor).items()},
    }

    def compute(folder: Path) -> None:
        _save(_Work(job, inputs, processor, threads).run(), folder)

    place, cached = cache.get("correct", facts, compute)
    return replace(_load(place), cached=cached)


class _Work:
    """The stage at work."""

    def __init__(
        self, job: Job, inputs: CorrectionInputs, processor: Processor, threads: int
    ) -> None:
        self.job, self.inputs, self.processor, self.threads = job, inputs, processor, threads

    def run(self) -> CorrectedBuild:
        starts = {n: CorrectedBuild(self.inputs.graph, t) for n, t in self.inputs.tables.items()}
        c = self.job.correction
        if not c.auto:
            build = next(iter(starts.values()))
            build = self._rounded(build) if c.adaround else build
            return self._biased(c.min_layer_cos, build) if c.bias_correction else build
        corrections: dict[str, Callable[[CorrectedBuild], CorrectedBuild]] = {
            f"bias_correction (min_layer_cos={c.min_layer_cos:g})": partial(
                self._biased, c.min_layer_cos
            ),
            "bias_correction (min_layer_cos=1)": partial(self._biased, 1.0),
            "adaround": self._rounded,
        }
        found = try_all(starts, corrections, self._scorer())
        return replace(found.best, chosen=found.name, trials=found.trials)

    def _lower(self, table: CalibrationTable) -> Callable[[Graph], Graph]:
        from tpuc.lowering import Lowerer, Memo

        memo = Memo()
        return lambda graph: (
            Lowerer(graph, self.processor, memo).lower(table, "INT8", self.inputs.choices).graph
        )

    def _bench(self, table: CalibrationTable, samples: Samples) -> Bench:
        from tpuc.lowering import float_twin
        from tpuc.simulator import IncrementalRunner

        batches = list(samples.batches(_BATCH))
        floats, integers = (IncrementalRunner(batches, self.threads) for _ in range(2))
        twin = float_twin(self.inputs.graph)
        rows = sum(len(next(iter(batch.values()))) for batch in batches)
        return Bench(twin, self._lower(table), floats, integers, rows, self.threads)

    def _biased(self, min_layer_cos: float, build: CorrectedBuild) -> CorrectedBuild:
        samples = self.inputs.learn[: self.job.correction.bc_inference_num]
        bench = self._bench(build.table, samples)
        found = correct_biases(build.graph, bench, min_layer_cos)
        return _with(build, "bias_correction", len(samples), found)

    def _rounded(self, build: CorrectedBuild) -> CorrectedBuild:
        samples = self.inputs.learn[: self.job.correction.adaround_num]
        bench = self._bench(build.table, samples)
        found = learn_rounding(build.graph, bench, Learning(seed=self.job.seed))
        return _with(build, "adaround", len(samples), found)

    def _scorer(self) -> Callable[[CorrectedBuild], float]:
        """Mean cosine of the outputs on the samples to choose by."""
        assert self.inputs.judge is not None
        bench = self._bench(next(iter(self.inputs.tables.values())), self.inputs.judge)

        def score(build: CorrectedBuild) -> float:
            own = replace(bench, lower=self._lower(build.table))
            return output_cosine(build.graph, own)

        return score


def correction_view(
    before: Sequence[Step], build: CorrectedBuild | None, judges: int
) -> CorrectionView | None:
    """All corrections as the report tells them; `before`: done before thresholds were found."""
    found = (*before, *(build.steps if build else ()))
    if not found and build is None:
        return None
    steps = tuple(
        CorrectionStep(
            step.name,
            step.samples,
            step.before,
            step.after,
            tuple(CorrectedLayer(**vars(row)) for row in step.layers),
        )
        for step in found
    )
    trials = tuple((t.name, t.score) for t in build.trials) if build else ()
    return CorrectionView(steps, build.chosen if build else "", trials, judges)


def _with(build: CorrectedBuild, name: str, samples: int, found: Corrected) -> CorrectedBuild:
    step = Step(name, samples, found.before, found.after, found.notes)
    return replace(build, graph=found.graph, steps=(*build.steps, step))


def _save(build: CorrectedBuild, folder: Path) -> None:
    save_weights(build.graph, folder / "corrected_top_weights.npz")
    write_whole(folder / "corrected.mlir", print_mlir(build.graph, "corrected_top_weights.npz"))
    write_whole(folder / "cali_table", table_text.to_text(build.table))
    notes = {
        "steps": [asdict(s) for s in build.steps],
        "chosen": build.chosen,
        "trials": [asdict(t) for t in build.trials],
    }
    write_whole(folder / "notes.json", json.dumps(notes))


def _load(folder: Path) -> CorrectedBuild:
    notes: dict[str, Any] = json.loads((folder / "notes.json").read_text())
    steps = tuple(
        Step(**{**step, "layers": tuple(LayerNote(**row) for row in step["layers"])})
        for step in notes["steps"]
    )
    return CorrectedBuild(
        load_mlir(folder / "corrected.mlir"),
        table_text.read(folder / "cali_table"),
        steps,
        notes["chosen"],
        tuple(Trial(**t) for t in notes["trials"]),
    )
