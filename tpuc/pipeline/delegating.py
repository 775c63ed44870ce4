"""Stage emit with backend=tpu_mlir: TPU-MLIR compiles our graph and tables, and runs the result."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tpuc.artifacts import CalibrationTable, Range
from tpuc.backends.tpu_mlir import Toolchain, find_toolchain
from tpuc.calibration import table as table_text
from tpuc.config import Job
from tpuc.dataset import Samples
from tpuc.evaluation.metrics import cosine
from tpuc.ir import Graph
from tpuc.ir.text_parse import load_mlir
from tpuc.progress import progress
from tpuc.reports import Delegate, DelegateRow

__all__ = ["check_delegate", "delegate"]


def check_delegate(job: Job) -> None:
    """Check early that TPU-MLIR is there, if it is asked for.

    Raises
    ------
    ConfigError : it is not; the message says how to install it
    """
    if job.backend.name.name == "tpu_mlir":
        find_toolchain(job.backend.python)


def delegate(
    job: Job, folder: Path, bmodel: str, lowered: Graph, samples: Samples | None
) -> Delegate:
    """Write TPU-MLIR's bmodel into the run folder, and hold its outputs against our simulation.

    Parameters
    ----------
    folder : Path
        Run folder; holds the Top MLIR and the tables.
    samples : Samples, optional
        The first `backend.samples` of them are run on TPU-MLIR's chip simulator.

    Raises
    ------
    ArtifactError : TPU-MLIR failed; its log stays in the run folder
    """
    tools = find_toolchain(job.backend.python)
    name = bmodel.rsplit(f"_{job.processor['name']}_", 1)[0]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".tpu_mlir.") as place:
        work = Path(place)
        for file in (f"{name}.mlir", f"{name}_top_weights.npz"):
            (work / file).symlink_to((folder / file).absolute())
        log = (folder / "model_deploy.log").absolute()
        options = _options(job, folder.absolute(), name, bmodel)
        if job.quantize.mode.name == "F8E5M2":
            _write_ones(work / f"{name}.mlir", work / "ones")
            options += ["--calibration_table", "ones"]
        tools.deploy(work, options, log)
        (work / bmodel).replace(folder / bmodel)
        count = 0 if samples is None else min(job.backend.samples, len(samples))
        rows = _compare(tools, folder / bmodel, lowered, samples, count) if count else ()
    return Delegate(str(tools.folder), count, rows)


def _options(job: Job, folder: Path, name: str, bmodel: str) -> list[str]:
    """Arguments of model_deploy."""
    options = ["--mlir", f"{name}.mlir", "--quantize", job.quantize.mode.name]
    options += ["--chip", str(job.processor["name"]), "--model", bmodel]
    options += ["--asymmetric"] if job.quantize.asymmetric else []
    if job.quantize.mode.name == "INT4":
        options += ["--tolerance", "0.0,0.0"]  # it has none of its own; nothing is held against it
    if job.quantize.mode.name.startswith(("W8", "W4")):
        options += ["--q_group_size", str(job.quantize.q_group_size)]
        options += ["--q_symmetric"] if job.quantize.q_symmetric else []
    for option, file in (("calibration_table", "cali_table"), ("quantize_table", "qtable")):
        path = folder / f"{name}_{file}"
        if path.is_file():
            options += [f"--{option}", str(path)]
    return options


def _write_ones(model: Path, target: Path) -> None:
    """A table of thresholds that are all 1.

    F8E5M2 has no scales, but TPU-MLIR lowers to it only what has a threshold, whatever it is.
    """
    names = [value.name for value in load_mlir(model).values()]
    table = CalibrationTable(dict.fromkeys(names, Range(1.0, -1.0, 1.0)), "none", model.name)
    target.write_text(table_text.to_text(table), encoding="utf-8")


def _compare(
    tools: Toolchain, bmodel: Path, lowered: Graph, samples: Samples | None, count: int
) -> tuple[DelegateRow, ...]:
    from tpuc.simulator import Program

    assert samples is not None
    program = Program(lowered)
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {v.name: [] for v in lowered.outputs}
    log = (bmodel.parent / "model_runner.log").absolute()
    with tempfile.TemporaryDirectory() as place:
        for feeds in progress(samples[:count].batches(1), count, "TPU-MLIR runs"):
            theirs = tools.simulate(bmodel.absolute(), feeds, Path(place), log)
            for index, (name, ours) in enumerate(program.run(feeds).items()):
                other = theirs.get(name, list(theirs.values())[index])
                pairs[name].append((ours.reshape(-1), _real(other)))
    return tuple(_row(name, found) for name, found in pairs.items())


def _real(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, np.float32).reshape(-1)


def _row(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> DelegateRow:
    ours, theirs = (np.concatenate(side) for side in zip(*pairs))
    return DelegateRow(
        name,
        float(np.mean(ours == theirs)),
        float(np.max(np.abs(ours - theirs), initial=0.0)),
        cosine(ours, theirs),
    )
