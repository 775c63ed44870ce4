"""Stage correct: weights and biases that quantization loses less of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tpuc.cache import StageCache
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.correction import LayerNote, Trial
from tpuc.dataset import Samples
from tpuc.errors import ConfigError
from tpuc.files import write_whole
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir
from tpuc.pipeline.correction_work import CorrectedBuild, CorrectionInputs, Work
from tpuc.pipeline.smoothing import Step
from tpuc.reports import CorrectedLayer, CorrectionStep, CorrectionView
from tpuc.search import qtable as qtable_text

__all__ = [
    "CorrectedBuild",
    "CorrectionInputs",
    "correct_job",
    "correction_remarks",
    "correction_samples",
    "correction_view",
    "is_correcting",
    "used_until",
]


def is_correcting(job: Job) -> bool:
    """Whether the job has the stage."""
    correction = job.correction
    return correction.auto or correction.bias_correction or correction.adaround


def _asked(job: Job) -> dict[str, int]:
    """Samples to learn from, by the key that asks for them."""
    c = job.correction
    wanted = {
        "bc_inference_num": c.bias_correction or c.auto,
        "adaround_num": c.adaround or c.auto,
    }
    return {key: getattr(c, key) for key, is_wanted in wanted.items() if is_wanted}


def correction_remarks(job: Job, dataset: Samples) -> list[str]:
    """What keys of the group ask for and do not get, a line each."""
    remarks = [
        f"correction.{key}: {count} samples asked, {len(dataset)} there; all of them are used"
        for key, count in _asked(job).items()
        if count > len(dataset)
    ]
    c, default = job.correction, type(job.correction)()
    if c.min_layer_cos != default.min_layer_cos and not (c.bias_correction or c.auto):
        remarks.append("correction.min_layer_cos: has no effect without correction.bias_correction")
    return remarks


def correction_samples(job: Job, dataset: Samples) -> tuple[Samples, Samples | None]:
    """Samples to learn from, and for `auto` the ones to choose by: others.

    Raises
    ------
    ConfigError : none are left to choose by
    """
    c = job.correction
    count = max([1, *_asked(job).values()])
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


def correct_job(job: Job, inputs: CorrectionInputs, cache: StageCache) -> CorrectedBuild:
    """Correct as the job says; from the cache where possible."""
    rewriter = inputs.rewriter
    facts = {
        "graph": inputs.start.key,
        "tables": {n: table_text.to_text(t) for n, t in inputs.tables.items()},
        "choices": qtable_text.to_text(inputs.choices),
        "learn": list(inputs.learn.digests),
        "judge": list(inputs.judge.digests) if inputs.judge is not None else [],
        "correction": asdict(job.correction),
        "asymmetric": job.quantize.asymmetric,
        "mode": job.quantize.mode.name,
        "seed": job.seed,
        "processor": {k: str(v) for k, v in vars(rewriter.processor).items()},
        "rewrites": list(inputs.rewrites),
        "only_rewrites": inputs.only_rewrites,
        "calibration": {k: str(v) for k, v in vars(job.calibration).items()},
        "calibrated": list(rewriter.learn.digests) if rewriter.learn and inputs.rewrites else [],
    }

    def compute(folder: Path) -> None:
        _save(Work(job, inputs).run(), len(inputs.start.steps), folder)

    place, cached = cache.get("correct", facts, compute)
    return replace(_load(place, inputs), cached=cached)


def correction_view(
    before: Sequence[Step], builds: Sequence[CorrectedBuild | None], judges: int
) -> CorrectionView | None:
    """All corrections as the report tells them.

    Parameters
    ----------
    before : sequence of Step
        Done before thresholds were found.
    builds : (before a search, at last)
    """
    first, build = builds
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
    trials = tuple((t.name, t.score) for made in builds if made for t in made.trials)
    kept = first.chosen if first else ""
    return CorrectionView(steps, build.chosen if build else "", trials, judges, kept)


def _save(build: CorrectedBuild, before: int, folder: Path) -> None:
    """`before`: corrections of the float network that were there already."""
    save_weights(build.graph, folder / "corrected_top_weights.npz")
    write_whole(folder / "corrected.mlir", print_mlir(build.graph, "corrected_top_weights.npz"))
    write_whole(folder / "cali_table", table_text.to_text(build.table))
    notes = {
        "steps": [asdict(s) for s in build.steps],
        "rewrites": [s.name for s in build.base.steps[before:]],
        "chosen": build.chosen,
        "trials": [asdict(t) for t in build.trials],
    }
    write_whole(folder / "notes.json", json.dumps(notes))


def _load(folder: Path, inputs: CorrectionInputs) -> CorrectedBuild:
    notes: dict[str, Any] = json.loads((folder / "notes.json").read_text())
    steps = tuple(
        Step(**{**step, "layers": tuple(LayerNote(**row) for row in step["layers"])})
        for step in notes["steps"]
    )
    graph, table = load_mlir(folder / "corrected.mlir"), table_text.read(folder / "cali_table")
    base = inputs.start
    if notes["rewrites"]:
        base = inputs.rewriter.rewrite_all(base, notes["rewrites"])
    trials = tuple(Trial(**t) for t in notes["trials"])
    return CorrectedBuild(graph, table, base, steps, notes["chosen"], trials)
