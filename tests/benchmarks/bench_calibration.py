"""Calibration: time with process start, all methods in one pass, memory, and equal tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.all_methods import METHODS
from tests.benchmarks.lines import Line
from tests.benchmarks.setting import Setting, run_program
from tpuc.calibration import table as table_text

__all__ = ["lines", "shared_thresholds"]

ROOT = Path(__file__).parents[2]
FASTER_KL = 5.0
FASTER_ALL = 10.0
EQUAL = 0.98
MANY = 1000


def lines(setting: Setting) -> Iterator[Line]:
    """kl end to end, six methods, memory; with TPU-MLIR also ratios and equal thresholds."""
    count = min(100, len(setting.samples))
    ours = setting.best("kl", *_overrides(setting, setting.pictures, count))
    theirs = _vendor_tables(setting, count) if setting.vendor else {}
    yield _time_line(f"kl, {count} pictures, with process start", ours.seconds,
                     theirs.get("kl"), FASTER_KL)  # fmt: skip
    folder = setting.folder("all_methods")
    command = [sys.executable, "-m", "tests.benchmarks.all_methods", _mlir(setting),
               setting.pictures, str(count), folder]  # fmt: skip
    once = run_program(command, folder, PYTHONPATH=str(ROOT))
    total = sum(theirs.values()) if theirs else None
    yield _time_line(f"{len(METHODS)} methods in one pass, {count} pictures", once.seconds,
                     total, FASTER_ALL)  # fmt: skip
    yield from _memory(setting, count, ours.megabytes)
    for method in METHODS if theirs else ():
        yield _table_line(setting, method)


def _overrides(setting: Setting, pictures: Path, count: int) -> list[str]:
    return [
        "recipe=efficientnet_lite0",
        f"model.path={setting.network}",
        f"dataset.path={pictures}",
        f"calibration.input_num={count}",
        "stop_after=calibrate",
        "cache=null",
    ]


def _mlir(setting: Setting) -> Path:
    """Our Top MLIR of the run `kl`: TPU-MLIR's programs read it too."""
    return setting.work / "kl" / "run" / "efficientnet_lite0.mlir"


def _time_line(figure: str, ours: float, theirs: float | None, goal: float) -> Line:
    if theirs is None:
        return Line(figure, f"{ours:.2f} s", goal=f"{goal:.0f} x TPU-MLIR")
    ratio = theirs / ours
    against = f"TPU-MLIR {theirs:.1f} s"
    return Line(figure, f"{ours:.2f} s", against, f"{ratio:.1f} x of {goal:.0f} x", ratio >= goal)


def _memory(setting: Setting, count: int, few: float) -> Iterator[Line]:
    """The same pictures, many times over under other names."""
    many = setting.folder("many_pictures")
    for index in range(MANY):
        source = setting.samples[index % len(setting.samples)]
        (many / f"{index:05d}{source.suffix}").symlink_to(source)
    run = setting.tpuc("many", *_overrides(setting, many, MANY))
    yield Line(
        f"peak memory, {MANY} pictures",
        f"{run.megabytes:.0f} MB",
        f"{count} pictures {few:.0f} MB",
        "no more (2 % noise)",
        run.megabytes <= few * 1.02,
    )


def _vendor_tables(setting: Setting, count: int) -> dict[str, float]:
    """Seconds that TPU-MLIR's run_calibration takes for each method."""
    seconds = {}
    folder = setting.folder("vendor_calibration")
    for file in _mlir(setting).parent.glob("efficientnet_lite0*"):
        (folder / file.name).write_bytes(file.read_bytes())
    for method in METHODS:
        done = setting.vendors(
            "vendor_calibration", "run_calibration", "efficientnet_lite0.mlir",
            "--dataset", setting.pictures, "--input_num", str(count), "--tune_num", "5",
            "--cali_method", method, "-o", f"table_{method}",
        )  # fmt: skip
        seconds[method] = done.seconds
    return seconds


def shared_thresholds(ours: Path, theirs: Path) -> tuple[int, int]:
    """(ops whose thresholds agree within 1e-4 relative, ops)."""
    mine, known = table_text.read(ours).ranges, table_text.read(theirs).ranges
    near = [
        name in mine and abs(mine[name].threshold - r.threshold) <= 1e-4 * abs(r.threshold)
        for name, r in known.items()
    ]
    return sum(near), len(near)


def _table_line(setting: Setting, method: str) -> Line:
    theirs = setting.work / "vendor_calibration" / f"table_{method}"
    near, ops = shared_thresholds(setting.work / "all_methods" / method, theirs)
    return Line(
        f"thresholds of {method} within 1e-4 of TPU-MLIR's",
        f"{near} of {ops} ops",
        goal=f"{EQUAL:.0%} of the ops",
        met=near >= EQUAL * ops,
    )
