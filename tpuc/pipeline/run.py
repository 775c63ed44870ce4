"""One build, from a checked job to a filled run folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tpuc.artifacts import CalibrationTable
from tpuc.cache import StageCache
from tpuc.config import STAGES, Job, check_job, with_mode
from tpuc.dataset import Samples
from tpuc.files import write_whole
from tpuc.pipeline.calibrating import kurtosis_text, open_dataset
from tpuc.pipeline.checking import check_graph
from tpuc.pipeline.clock import Clock
from tpuc.pipeline.correcting import (
    CorrectedBuild,
    CorrectionInputs,
    correct_job,
    correction_samples,
    is_correcting,
    used_until,
)
from tpuc.pipeline.deciding import decide
from tpuc.pipeline.delegating import check_delegate, delegate
from tpuc.pipeline.emitting import emit_bmodel
from tpuc.pipeline.evaluating import check_judges, choose_samples, evaluate, fresh_samples
from tpuc.pipeline.finishing import finish, versions, write_tables
from tpuc.pipeline.gathered import Gathered
from tpuc.pipeline.importing import import_model, model_name, model_path
from tpuc.pipeline.lowering_job import lower_job, lowered_key
from tpuc.pipeline.measuring import measure, task_view, write_task
from tpuc.pipeline.searching import (
    LOG_NAMES,
    SearchInputs,
    check_search_names,
    search_job,
    search_samples,
)
from tpuc.pipeline.smoothing import Rewriter, Rewritten, rewrites_to_try, wanted_rewrites
from tpuc.pipeline.tasks import open_task
from tpuc.pipeline.top_files import make_folder, write_top
from tpuc.reports import Note

__all__ = ["RunResult", "run"]


@dataclass(frozen=True)
class RunResult:
    """What became of a run.

    Parameters
    ----------
    folder : Path
    report : dict
        Content of report.json; empty if the run stopped earlier.
    goals_missed : tuple of str
    """

    folder: Path
    report: dict[str, Any]
    goals_missed: tuple[str, ...] = ()


def run(
    job: Job,
    folder: Path,
    config: dict[str, Any] | None = None,
    command: str = "tpuc",
    together: tuple[str, ...] = (),
) -> RunResult:
    """Build everything that the job asks for into `folder`.

    Parameters
    ----------
    together : tuple of str
        Calibration methods of the sweep that this run belongs to.

    Raises
    ------
    InputError : what the user gave is wrong (before any slow work where possible)
    """
    build = _Build(job, folder, command, together)
    stages = (
        build.read, build.calibrate, build.search, build.correct, build.lower, build.evaluate,
        build.emit,
    )  # fmt: skip
    for name, stage in zip(STAGES[1:], stages):
        stage()
        if _stops(job, name):
            return RunResult(folder, {})
    return build.report(config or {})


class _Build:
    """The stages of one run, and what they hand on."""

    def __init__(self, job: Job, folder: Path, command: str, together: tuple[str, ...]) -> None:
        job = with_mode(job)
        self.job, self.folder, self.command, self.together = job, folder, command, together
        self.clock = Clock()
        self.processor = self.clock.stage("check", lambda: check_job(job))
        check_delegate(job)
        self.threads = job.threads or os.cpu_count() or 1
        root = Path(job.cache).expanduser() if job.cache else None
        self.zoo = (root or folder / "stages") / "zoo"
        self.cache = StageCache(root, folder / "stages")

    def read(self) -> None:
        """Stage import; also everything that can be checked with the graph at hand."""
        job = self.job
        path = model_path(job, self.zoo)
        self.name = model_name(job, path)
        imported = self.clock.stage(
            "import", lambda: import_model(job, path, self.cache), lambda r: r.cached
        )
        self.dataset = open_dataset(job, imported.graph, self.zoo)
        check_graph(job, imported.graph, self.processor, self.dataset)
        make_folder(self.folder)
        graph = imported.graph
        g = Gathered(job, self.processor, self.name, path, graph, graph, {}, command=self.command)
        g.timings = self.clock.timings
        g.versions = versions()
        g.notes = [Note(f"pass {p}", reason, nodes) for p, reason, nodes in imported.skips]
        g.decided = decide(job, graph, self.processor)
        g.choices = g.decided.table
        check_search_names(job, graph, self.dataset)
        used = 0
        if is_correcting(job) and self.dataset is not None:
            learn, judge = correction_samples(job, self.dataset)
            used = used_until(self.dataset, learn, judge)
        self.task = open_task(job, graph, fresh_samples(job, self.dataset, used), self.zoo)
        if job.stop_after in (None, "check", "evaluate", "emit"):
            judges = self.task.samples if self.task else None
            judges = choose_samples(job, graph, self.dataset, self.zoo, used, judges)
            check_judges(job, self.dataset, judges)
        self.g = g
        if not _stops(job, "check"):
            self.graph_key = write_top(self.folder, self.name, graph)

    def calibrate(self) -> None:
        """Stage calibrate, for builds with thresholds."""
        job, g = self.job, self.g
        if job.quantize.mode.name not in ("INT8", "INT4", "F8E4M3"):
            return
        symmetric = g.decided.symmetric if g.decided else ()
        self.rewriter = Rewriter(
            job, self.processor, self.dataset, g.choices, symmetric, self.threads, self.cache,
            self.together,
        )  # fmt: skip
        base, wanted = Rewritten(g.top, self.graph_key), wanted_rewrites(job)
        if wanted:
            base = self.clock.stage(
                "rewrite", lambda: self.rewriter.rewrite_all(base, wanted), lambda r: r.cached
            )
        self._set_base(base)
        if self.dataset is not None and job.calibration.method.name != "from_file":
            g.calibration_samples = self.dataset[: job.calibration.input_num]
        assert g.calibrated is not None
        g.table = self.rewriter.final(g.calibrated.table, base)
        if g.calibrated.kurtosis:
            rows = kurtosis_text(g.calibrated.kurtosis, g.top)
            write_whole(self.folder / "kurtosis_analysis", rows)
        write_tables(g, self.folder)

    def _set_base(self, base: Rewritten) -> None:
        """Go on with a float network: its files, and its thresholds."""
        g = self.g
        if base.steps:
            g.top, g.corrected_before, self.graph_key = base.graph, base.steps, base.key
            write_top(self.folder, self.name, g.top)
        self.base = base
        g.calibrated = self.clock.stage(
            "calibrate", lambda: self.rewriter.calibrated(base), lambda r: r.cached
        )

    def search(self) -> None:
        """Stage search, if there is one; the tables."""
        job, g = self.job, self.g
        if job.search.method.name in LOG_NAMES and self.dataset is not None and g.calibrated:
            samples = search_samples(job, self.dataset)
            if rewrites := rewrites_to_try(job):
                g.chosen_first = self._correct(self._tables(), rewrites, True)
            start = self.rewriter.final(g.calibrated.table, self.base)
            known = self._tables(), start, g.choices, g.calibrated.outputs
            inputs = SearchInputs(g.top, self.graph_key, samples, *known)
            g.search_samples = samples
            g.searched = self.clock.stage(
                "search",
                lambda: search_job(job, inputs, self.processor, self.threads, self.cache),
                lambda r: r.cached,
            )
            g.table, g.choices = g.searched.result.table, g.searched.result.qtable
        write_tables(g, self.folder)

    def correct(self) -> None:
        """Stage correct, if there is one: the graph that is lowered, and what TPU-MLIR reads."""
        job, g = self.job, self.g
        if not is_correcting(job) or self.dataset is None or g.calibrated is None:
            return
        assert g.table is not None
        tables = {f"search ({g.table.method})" if g.searched else g.table.method: g.table}
        if job.correction.auto and g.searched is None:
            tables |= {m: t for m, t in self._tables().items() if t != g.table}
        g.corrected = self._correct(tables, rewrites_to_try(job) if g.searched is None else ())
        g.table = g.corrected.table
        self.graph_key = write_top(self.folder, self.name, g.corrected.graph)
        write_tables(g, self.folder)

    def _tables(self) -> dict[str, CalibrationTable]:
        """Thresholds of the float network as it is now, by every method that was measured."""
        tables = self.g.calibrated.tables if self.g.calibrated else {}
        return {m: self.rewriter.final(t, self.base) for m, t in tables.items()}

    def _correct(
        self, tables: dict[str, CalibrationTable], rewrites: tuple[str, ...], first: bool = False
    ) -> CorrectedBuild:
        """Correct, and go on with the float network that is kept; `first`: before a search."""
        job, g = self.job, self.g
        assert self.dataset is not None
        learn, judge = correction_samples(job, self.dataset)
        known = self.base, tables, g.choices, learn, judge, self.rewriter, rewrites, first
        g.correction_samples, g.choosing_samples = learn, judge
        work = partial(correct_job, job, CorrectionInputs(*known), self.cache)
        made = self.clock.stage("correct", work, lambda r: r.cached)
        g.corrected_with = used_until(self.dataset, learn, judge)
        if made.base.key != self.base.key:
            self._set_base(made.base)
        return made

    def lower(self) -> None:
        """Stage lower."""
        lowered = self.clock.stage("lower", lambda: lower_job(self.g, self.g.choices))
        self.g.lowered, self.g.reasons = lowered.graph, lowered.reasons

    def evaluate(self) -> None:
        """Stage evaluate, if there are samples."""
        g = self.g
        judges = self.task.samples if self.task else None
        used = g.corrected_with
        samples = choose_samples(self.job, g.top, self.dataset, self.zoo, used, judges)
        key = lowered_key(self.job, g, self.graph_key)
        if samples is not None:
            self._compare(samples, key)
        if self.task is not None:
            self._measure(key)

    def _compare(self, samples: Samples, key: dict[str, Any]) -> None:
        g = self.g
        g.evaluation_samples = samples
        g.evaluated = self.clock.stage(
            "evaluate",
            lambda: evaluate(
                (g.top, g.lowered), samples, key, self.job.report.values, self.threads, self.cache
            ),
            lambda r: r.cached,
        )

    def _measure(self, key: dict[str, Any]) -> None:
        task, g = self.task, self.g
        assert task is not None
        g.task_samples = task.samples
        g.measured = self.clock.stage(
            "measure",
            lambda: measure(self.job, g, task, key, self.threads, self.cache),
            lambda r: r.cached,
        )
        g.task_files = write_task(self.folder, task, g.measured)
        g.task = task_view(self.folder, g.measured, g.task_files)

    @property
    def bmodel(self) -> str:
        """Name of the bmodel."""
        mode = self.job.quantize.mode.name.lower()
        return f"{self.name}_{self.processor.name}_{mode}.bmodel"

    def emit(self) -> None:
        """Stage emit."""
        g, kind = self.g, self.job.backend.name.name
        if kind == "bmodel":
            path = self.folder / self.bmodel
            emitted = self.clock.stage("emit", lambda: emit_bmodel(path, g.lowered, self.processor))
            g.instruction_bytes, g.timeline = emitted.instruction_bytes, emitted.timeline
            if emitted.skip is not None:
                g.notes.append(Note("chip instructions", emitted.skip.reason, emitted.skip.nodes))
        if kind == "tpu_mlir":
            told = self.job, self.folder, self.bmodel, g.lowered, g.evaluation_samples
            g.delegate = self.clock.stage("emit", lambda: delegate(*told))

    def report(self, config: dict[str, Any]) -> RunResult:
        """Stage report."""
        result, missed = finish(self.g, self.folder, self.bmodel, config)
        return RunResult(self.folder, result, missed)


def _stops(job: Job, stage: str) -> bool:
    return job.stop_after is not None and STAGES.index(job.stop_after) <= STAGES.index(stage)
