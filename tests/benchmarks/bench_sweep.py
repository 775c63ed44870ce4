"""Sweeps: what 24 runs cost apart, with the shared cache, and on two cores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Finished, Setting

__all__ = ["lines"]

GRID = (
    "calibration=kl,mse,max,percentile9999,aciq_laplace,aciq_gauss",
    "calibration.input_num=4,8",
    "evaluation.input_num=2,4",
)
RUNS = 24


def lines(setting: Setting) -> Iterator[Line]:
    """The default recipe, six threshold methods on 4 and 8 pictures, judged on 2 and 4."""
    apart, rows = _sweep(setting, "apart", "cache=null")
    yield Line(f"{RUNS} runs, nothing shared", _said(apart))
    shared, others = _sweep(setting, "shared", f"cache={setting.work / 'shared-cache'}")
    times = apart.seconds / shared.seconds
    yield Line(
        f"{RUNS} runs, shared cache", _said(shared), f"{times:.1f} x less time", "same figures",
        rows == others,
    )  # fmt: skip
    cores, others = _sweep(
        setting, "cores", f"cache={setting.work / 'cores-cache'}", "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    times = apart.seconds / cores.seconds
    yield Line(
        f"{RUNS} runs, shared cache, joblib on 2 cores", _said(cores), f"{times:.1f} x less time",
        "same figures", rows == others,
    )  # fmt: skip


def _said(run: Finished) -> str:
    return f"{run.seconds:.1f} s"


def _sweep(setting: Setting, name: str, *overrides: str) -> tuple[Finished, list[object]]:
    """Run the grid; how long it took, and the accuracy of every run."""
    folder = setting.folder(f"sweep-{name}")
    done = setting.program(
        folder, "-m", *GRID, *overrides, "report.html=false", f"hydra.sweep.dir={folder / 'runs'}"
    )
    return done, _accuracy(folder / "runs" / "sweep.json")


def _accuracy(path: Path) -> list[object]:
    runs = json.loads(path.read_text())["runs"]
    assert len(runs) == RUNS and all(run["status"] == "done" for run in runs)
    return [run["accuracy"] for run in runs]
