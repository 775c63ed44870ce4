"""The end of a run: tables, report, manifest."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tpuc.cache import digest_file
from tpuc.calibration import table as table_text
from tpuc.files import write_whole
from tpuc.pipeline.gathered import Gathered
from tpuc.pipeline.reporting import report_data
from tpuc.pipeline.searching import LOG_NAMES
from tpuc.reports import Artifact, write_report
from tpuc.search import qtable as qtable_text

__all__ = ["finish", "versions", "write_tables"]

_BMODELS = {
    "bmodel": "bmodel with a program for tpuc's simulator (no chip instructions)",
    "tpu_mlir": "bmodel that TPU-MLIR compiled; its runtime and chip run it",
    "none": "",
}
_NATIVE = "bmodel with chip instructions, and a program for tpuc's simulator"


def write_tables(g: Gathered, folder: Path) -> None:
    """Calibration table, quantize table, and what a search leaves behind.

    After a search `new_cali_table.txt` holds the same table as `<name>_cali_table`: TPU-MLIR's
    users look for it there.
    """
    if g.table is not None:
        text = table_text.to_text(g.table)
        write_whole(folder / f"{g.name}_cali_table", text)
        if g.searched is not None:
            write_whole(folder / "new_cali_table.txt", text)
    if g.choices.choices:
        header = g.decided.header if g.decided else None
        write_whole(folder / f"{g.name}_qtable", qtable_text.to_text(g.choices, header))
    if g.searched is not None:
        result = g.searched.result
        write_whole(folder / LOG_NAMES[result.method], result.log)


def finish(
    g: Gathered, folder: Path, bmodel: str, config: dict[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write report and manifest; the content of report.json and the goals that were missed."""
    what = {
        f"{g.name}.mlir": "Top MLIR, canonical; TPU-MLIR reads it",
        f"{g.name}_top_weights.npz": "float weights",
        f"{g.name}_cali_table": "calibration table; TPU-MLIR reads it",
        f"{g.name}_qtable": "types of single ops; TPU-MLIR reads it",
        "new_cali_table.txt": "the table that the search found; TPU-MLIR reads it",
        **dict.fromkeys(LOG_NAMES.values(), "log of the search"),
        "kurtosis_analysis": "kurtosis of every tensor, largest first",
        **dict.fromkeys(g.task_files, "what the builds said of the samples"),
        bmodel: _NATIVE if g.instruction_bytes else _BMODELS[g.job.backend.name.name],
    }
    artifacts = _artifacts_of(folder, what)
    data = report_data(g, artifacts)
    report = write_report(folder, data, g.job.report.html)
    _manifest(g, folder, [a.name for a in artifacts], config)
    shutil.rmtree(folder / "stages", ignore_errors=True)
    return report, data.accuracy.goals_missed


def _artifacts_of(folder: Path, what: Mapping[str, str]) -> tuple[Artifact, ...]:
    """Files of the run folder with size and digest."""
    return tuple(
        Artifact(name, (folder / name).stat().st_size, digest_file(folder / name), text)
        for name, text in what.items()
        if (folder / name).is_file()
    )


def _manifest(g: Gathered, folder: Path, names: list[str], config: dict[str, Any]) -> None:
    inputs = {"model": {"path": str(g.model), "sha256": digest_file(g.model)}}
    for key in (
        "calibration_samples",
        "search_samples",
        "correction_samples",
        "choosing_samples",
        "evaluation_samples",
        "task_samples",
    ):
        samples = getattr(g, key)
        if samples is not None:
            inputs[key] = {str(s): d for s, d in zip(samples, samples.digests)}
    for key, value in (
        ("calibration.table", g.job.calibration.table),
        ("quantize.table", g.job.quantize.table),
        ("search.pre_qtable", g.job.search.pre_qtable),
        ("search.post_process", g.job.search.post_process),
        ("evaluation.labels", g.job.evaluation.labels),
        ("evaluation.classes", g.job.evaluation.classes),
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


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("tpuc", "numpy", "torch", "onnx", "opencv-python-headless", "hydra-core"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
