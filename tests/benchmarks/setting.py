"""Where benchmarks find their network, their pictures and TPU-MLIR, and how they time programs.

TPUC_PICTURES   folder of pictures (default: those of the zoo)
TPUC_VENDOR     virtual environment with TPU-MLIR (default: comparisons with it are left out)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tpuc.zoo import resolve

__all__ = ["Finished", "Setting", "run_program", "vendor_calibration"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Parameters
    ----------
    seconds : float
        Wall clock, with process start.
    megabytes : float
        Largest resident memory of the process.
    busy : float
        Seconds of all cores, of its children too: what a busy machine does not change.
    """

    seconds: float
    megabytes: float
    output: str
    busy: float = 0.0


def run_program(
    command: Sequence[str | Path], folder: Path, may_fail: bool = False, **env: str
) -> Finished:
    """Run a program to its end.

    Raises
    ------
    RuntimeError : it failed, and may not; with the end of what it printed
    """
    log = folder / "program.log"
    with log.open("w") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(c) for c in command],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**_environment(), **env},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    if process.returncode and not may_fail:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{text[-1500:]}")
    busy = usage.ru_utime + usage.ru_stime
    return Finished(seconds, usage.ru_maxrss / 1024, text, busy)


def _environment() -> dict[str, str]:
    """Ours, but programs may keep their compiled modules, as installed ones do."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Setting:
    """One benchmark run.

    Parameters
    ----------
    work : Path
        Scratch folder, removed at the end.
    repeats : int
        The best of so many is reported.
    """

    work: Path
    repeats: int = 3
    vendor: Path | None = None
    pictures: Path = field(init=False)
    network: Path = field(init=False)

    def __post_init__(self) -> None:
        zoo = self.work / "cache" / "zoo"
        self.network = resolve("zoo:efficientnet_lite0", zoo)
        given = os.environ.get("TPUC_PICTURES")
        self.pictures = Path(given).resolve() if given else resolve("zoo:pictures", zoo)
        found = os.environ.get("TPUC_VENDOR")
        self.vendor = Path(found).resolve() if found else None

    @property
    def samples(self) -> list[Path]:
        """The pictures, sorted."""
        return sorted(p for p in self.pictures.iterdir() if p.suffix.lower() in SUFFIXES)

    def folder(self, name: str) -> Path:
        """A fresh folder."""
        path = self.work / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def tpuc(self, name: str, *overrides: str) -> Finished:
        """Run `tpuc` with a cache of its own; the run folder is `work/name/run`."""
        folder = self.folder(name)
        shutil.rmtree(folder / "run", ignore_errors=True)  # nothing of an earlier run may help
        return self.program(folder, *overrides, f"hydra.run.dir={folder / 'run'}")

    def program(self, folder: Path, *arguments: str) -> Finished:
        """Run `tpuc` with just these arguments."""
        program = Path(sys.executable).with_name("tpuc")
        return run_program([program, *arguments], folder, TPUC_CACHE=str(self.work / "cache"))

    def vendors(
        self, name: str, program: str, *arguments: str | Path, may_fail: bool = False
    ) -> Finished:
        """Run a program of TPU-MLIR in `work/name`."""
        assert self.vendor is not None
        folder = self.folder(name)
        path = f"{self.vendor / 'bin'}:{os.environ['PATH']}"
        command = [self.vendor / "bin" / program, *arguments]
        return run_program(command, folder, may_fail, PATH=path)

    def best(self, name: str, *overrides: str) -> Finished:
        """The fastest of `repeats` runs of `tpuc`."""
        runs = [self.tpuc(name, *overrides) for _ in range(self.repeats)]
        return min(runs, key=lambda run: run.seconds)


def vendor_calibration(
    setting: Setting, run: str, name: str, pictures: Path, count: int, *more: str
) -> Finished:
    """TPU-MLIR's `run_calibration` in `work/name`, on the float network of our run `work/run`.

    Parameters
    ----------
    more : str
        Further options.
    """
    folder = setting.folder(name)
    for file in (setting.work / run / "run").glob("efficientnet_lite0*"):
        if file.suffix in (".mlir", ".npz"):
            shutil.copy(file, folder / file.name)
    return setting.vendors(
        name, "run_calibration", "efficientnet_lite0.mlir", "--dataset", pictures,
        "--input_num", str(count), "--chip", "bm1684x", "--quantize_table", "qtable",
        "-o", "table", *more,
    )  # fmt: skip
