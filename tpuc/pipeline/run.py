"""One build, from a checked job to a filled run folder."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from tpuc.cache import StageCache, digest_file
from tpuc.calibration import table as table_text
from tpuc.config import STAGES, Job, check_job
from tpuc.errors import ArtifactError
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights
from tpuc.lowering import Lowered, lower
from tpuc.pipeline.calibrating import calibrate_job, kurtosis_text, open_dataset
from tpuc.pipeline.checking import check_graph
from tpuc.pipeline.evaluating import choose_samples, evaluate
from tpuc.pipeline.importing import import_model, model_name, model_path
from tpuc.pipeline.reporting import Gathered, artifacts_of, report_data
from tpuc.reports import Note, Timing, write_report
from tpuc.search import qtable as qtable_text

__all__ = ["RunResult", "run"]

log = logging.getLogger("tpuc")
T = TypeVar("T")


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


class _Clock:
    """Times stages and says what they did."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []

    def stage(
        self, name: str, work: Callable[[], T], cached: Callable[[T], bool] | None = None
    ) -> T:
        start = time.perf_counter()
        result = work()
        known = bool(cached and cached(result))
        seconds = round(time.perf_counter() - start, 3)
        self.timings.append(Timing(name, seconds, known))
        log.info("%-10s %6.2f s%s", name, seconds, "  (cached)" if known else "")
        return result


def run(
    job: Job, folder: Path, config: dict[str, Any] | None = None, command: str = "tpuc"
) -> RunResult:
    """Build everything that the job asks for into `folder`.

    Raises
    ------
    InputError : what the user gave is wrong (before any slow work where possible)
    """
    build = _Build(job, folder, command)
    stages = (build.read, build.calibrate, build.lower, build.evaluate, build.emit)
    for name, stage in zip(STAGES[1:], stages):
        stage()
        if _stops(job, name):
            return RunResult(folder, {})
    return build.report(config or {})


class _Build:
    """The stages of one run, and what they hand on."""

    def __init__(self, job: Job, folder: Path, command: str) -> None:
        self.job, self.folder, self.command = job, folder, command
        self.clock = _Clock()
        self.processor = self.clock.stage("check", lambda: check_job(job))
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
        _make_folder(self.folder)
        graph = imported.graph
        g = Gathered(job, self.processor, self.name, path, graph, graph, {}, command=self.command)
        g.timings = self.clock.timings
        g.versions = _versions()
        g.notes = [Note(f"pass {p}", reason, nodes) for p, reason, nodes in imported.skips]
        self.g = g
        if not _stops(job, "check"):
            self.graph_key = _graph_key(self.folder, self.name, graph)

    def calibrate(self) -> None:
        """Stage calibrate, for integer builds."""
        job, g = self.job, self.g
        if job.quantize.mode.name != "INT8":
            return
        g.calibrated = self.clock.stage(
            "calibrate",
            lambda: calibrate_job(
                job, g.top, self.graph_key, self.dataset, self.threads, self.cache
            ),
            lambda r: r.cached,
        )
        if self.dataset is not None and job.calibration.method.name != "from_file":
            g.calibration_samples = self.dataset[: job.calibration.input_num]
        text = table_text.to_text(g.calibrated.table)
        write_whole(self.folder / f"{self.name}_cali_table", text)
        if g.calibrated.kurtosis:
            rows = kurtosis_text(g.calibrated.kurtosis, g.top)
            write_whole(self.folder / "kurtosis_analysis", rows)

    def lower(self) -> None:
        """Stage lower."""
        if self.job.quantize.table is not None:
            choices = qtable_text.read(Path(self.job.quantize.table))
            write_whole(self.folder / f"{self.name}_qtable", qtable_text.to_text(choices))
        lowered = self.clock.stage("lower", lambda: _lower(self.job, self.g, self.processor))
        self.g.lowered, self.g.reasons = lowered.graph, lowered.reasons

    def evaluate(self) -> None:
        """Stage evaluate, if there are samples."""
        g = self.g
        samples = choose_samples(self.job, g.top, self.dataset, self.zoo)
        if samples is None:
            return
        g.evaluation_samples = samples
        key = _lowered_key(self.job, g, self.graph_key)
        g.evaluated = self.clock.stage(
            "evaluate",
            lambda: evaluate(g.top, g.lowered, samples, key, self.threads, self.cache),
            lambda r: r.cached,
        )

    @property
    def bmodel(self) -> str:
        """Name of the bmodel."""
        mode = self.job.quantize.mode.name.lower()
        return f"{self.name}_{self.processor.name}_{mode}.bmodel"

    def emit(self) -> None:
        """Stage emit."""
        if self.job.backend.name.name == "bmodel":
            path = self.folder / self.bmodel
            self.clock.stage("emit", lambda: _emit(path, self.g.lowered, self.processor.name))

    def report(self, config: dict[str, Any]) -> RunResult:
        """Stage report."""
        return _report(self.g, self.folder, self.bmodel, config)


def _stops(job: Job, stage: str) -> bool:
    return job.stop_after is not None and STAGES.index(job.stop_after) <= STAGES.index(stage)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"'{folder}': can not be made ({error.strerror}). Hint: hydra.run.dir=FOLDER"
        ) from error


def _write_top(folder: Path, name: str, graph: Graph) -> None:
    weights = folder / f"{name}_top_weights.npz"
    part = weights.with_name(f".{weights.name}.{os.getpid()}.part")
    try:
        save_weights(graph, part)
        part.replace(weights)
    except OSError as error:
        raise ArtifactError(f"'{weights}': can not be written ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
    write_whole(folder / f"{name}.mlir", print_mlir(graph, weights.name))


def _graph_key(folder: Path, name: str, graph: Graph) -> str:
    _write_top(folder, name, graph)
    return digest_file(folder / f"{name}.mlir") + digest_file(folder / f"{name}_top_weights.npz")


def _lower(job: Job, g: Gathered, processor: Any) -> Lowered:
    choices = qtable_text.read(Path(job.quantize.table)) if job.quantize.table else None
    table = g.calibrated.table if g.calibrated else None
    return lower(g.top, table, processor, job.quantize.mode.name, choices)


def _lowered_key(job: Job, g: Gathered, graph_key: str) -> dict[str, Any]:
    table = table_text.to_text(g.calibrated.table) if g.calibrated else ""
    choices = Path(job.quantize.table).read_text() if job.quantize.table else ""
    facts = {k: str(v) for k, v in vars(g.processor).items()}
    return {
        "graph": graph_key,
        "table": table,
        "mode": job.quantize.mode.name,
        "qtable": choices,
        "processor": facts,
    }


def _emit(path: Path, graph: Graph, processor: str) -> None:
    from tpuc.backends.bmodel import write_bmodel

    write_bmodel(path, graph, processor=processor)


def _report(g: Gathered, folder: Path, bmodel: str, config: dict[str, Any]) -> RunResult:
    what = {
        f"{g.name}.mlir": "Top MLIR, canonical; TPU-MLIR reads it",
        f"{g.name}_top_weights.npz": "float weights",
        f"{g.name}_cali_table": "calibration table; TPU-MLIR reads it",
        f"{g.name}_qtable": "types of single ops; TPU-MLIR reads it",
        "kurtosis_analysis": "kurtosis of every tensor, largest first",
        bmodel: "bmodel with a program for tpuc's simulator (no chip instructions)",
    }
    artifacts = artifacts_of(folder, what)
    data = report_data(g, artifacts)
    report = write_report(folder, data, g.job.report.html)
    _manifest(g, folder, [a.name for a in artifacts], config)
    shutil.rmtree(folder / "stages", ignore_errors=True)
    return RunResult(folder, report, data.accuracy.goals_missed)


def _manifest(g: Gathered, folder: Path, names: list[str], config: dict[str, Any]) -> None:
    inputs = {"model": {"path": str(g.model), "sha256": digest_file(g.model)}}
    for key in ("calibration_samples", "evaluation_samples"):
        samples = getattr(g, key)
        if samples is not None:
            inputs[key] = {str(s): d for s, d in zip(samples, samples.digests)}
    for key, value in (
        ("calibration.table", g.job.calibration.table),
        ("quantize.table", g.job.quantize.table),
    ):
        if value:
            inputs[key] = {"path": value, "sha256": digest_file(Path(value))}
    content = {
        "schema_version": 1,
        "command": g.command,
        "working_folder": str(Path.cwd()),
        "config": config,
        "seed": g.job.seed,
        "versions": g.versions,
        "inputs": inputs,
        "outputs": {n: digest_file(folder / n) for n in sorted(names)},
    }
    write_whole(folder / "manifest.json", json.dumps(content, indent=1) + "\n")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("tpuc", "numpy", "torch", "onnx", "opencv-python-headless", "hydra-core"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
