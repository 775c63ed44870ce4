"""Runs that die: kill -9 at a random moment, a full disk, two at once on one cache.

Each begins in an empty folder; afterwards the same command must finish with the bytes of a run that
nothing happened to, and leave nothing half-written in between.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.campaigns.lines import Tried

__all__ = ["disk", "kill", "together"]

TPUC = Path(sys.executable).with_name("tpuc")
RECIPE = (
    "recipe=digits",
    "search=qtable",
    "search.inference_num=8",
    "search.expected_cos=0.9999",
    "calibration.input_num=20",
)
KEPT = ("digits_cali_table", "new_cali_table.txt", "digits_qtable", "digits.mlir", "*.bmodel")


def _start(home: Path, run: str = "run", limit: int | None = None) -> subprocess.Popen[bytes]:
    def before() -> None:
        if limit is not None:  # writing beyond it fails like a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [TPUC, *RECIPE, f"hydra.run.dir={run}"],
        cwd=home,
        env={**os.environ, "TPUC_CACHE": str(home / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=before,
        start_new_session=True,
    )


def _results(run: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for form in KEPT for p in run.glob(form)}


def _undisturbed(folder: Path) -> tuple[dict[str, bytes], float]:
    start = time.monotonic()
    if _start(folder).wait():
        raise RuntimeError("the undisturbed run failed")
    results = _results(folder / "run")
    assert len(results) >= len(KEPT), sorted(results)
    return results, time.monotonic() - start


def _again(home: Path, expected: dict[str, bytes]) -> str:
    """Finish the run; what differs from the undisturbed one."""
    left = _results(home / "run")
    status = _start(home).wait()
    if status:
        return f"the next run ended with {status}"
    made = _results(home / "run")
    wrong = [n for n in expected if made.get(n) != expected[n]]
    torn = [n for n, b in left.items() if b != expected[n]]
    return f"other bytes: {wrong}, half-written: {torn}" if wrong or torn else ""


def _campaign(
    fault: str, times: int, disturb: Callable[[Path, int, float], None]
) -> Iterator[Tried]:
    with TemporaryDirectory(prefix="tpuc-kills-") as base:
        (Path(base) / "calm").mkdir()
        expected, seconds = _undisturbed(Path(base) / "calm")
        wrong = []
        for index in range(times):
            with TemporaryDirectory(dir=base) as home:
                disturb(Path(home), index, seconds)
                if problem := _again(Path(home), expected):
                    wrong.append(problem)
    yield Tried(fault, times, len(wrong), "; ".join(wrong[:3]))


def kill(times: int, seed: int) -> Iterator[Tried]:
    """Kill a run at a random moment of its life, with everything that it started."""
    chance = random.Random(seed)

    def disturb(home: Path, index: int, seconds: float) -> None:
        process = _start(home)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, seconds))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    return _campaign("kill -9 at a random moment", times, disturb)


def disk(times: int, seed: int) -> Iterator[Tried]:
    """Run with a disk that is full after some bytes of a file."""
    chance = random.Random(seed)

    def disturb(home: Path, index: int, seconds: float) -> None:
        _start(home, limit=int(10 ** chance.uniform(2, 5.5))).wait()

    return _campaign("full disk", times, disturb)


def together(times: int, seed: int) -> Iterator[Tried]:
    """Two more runs at once on the same empty cache."""

    def disturb(home: Path, index: int, seconds: float) -> None:
        others = [_start(home, f"other{i}") for i in range(2)]
        for process in others:
            if process.wait():
                (home / "run").mkdir(exist_ok=True)
                (home / "run" / "digits_cali_table").write_bytes(b"a run beside it failed")

    return _campaign("three runs on one cache", times, disturb)
