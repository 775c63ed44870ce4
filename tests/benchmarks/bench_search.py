"""Searches: time with process start, memory, and losses equal to TPU-MLIR's on its own tables.

TPU-MLIR's search_qtable takes some eight minutes here, and may end in an error when it draws its
last picture; by then its losses and tables are written, and its time counts up to there. It has no
run_sensitive_layer any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.lines import Line
from tests.benchmarks.same_search import candidates, comparable, log_on, worst_ops
from tests.benchmarks.setting import Finished, Setting
from tpuc.calibration import table as table_text

__all__ = ["lines"]

METHODS = ("kl", "mse")
EXPECTED_COS = 0.998  # below it only convolutions are sensitive: 47 ops, 94 candidates
FASTER = {"threshold": 30.0, "qtable": 50.0}
MEMORY = 2048.0
NEAR = 1e-3
WORST = 10


def lines(setting: Setting) -> Iterator[Line]:
    """One line for each search, then the comparison of losses."""
    count = min(100, len(setting.samples))
    ours = {name: _ours(setting, name, count) for name in (*FASTER, "sensitive_layer")}
    for name, run in ours.items():
        theirs = _vendors(setting, name, count) if setting.vendor and name in FASTER else None
        yield _time(name, run, theirs)
        against = f"TPU-MLIR {theirs.busy:.0f} s" if theirs else ""
        yield Line(f"search={name}, of all processors", f"{run.busy:.1f} s", against)
    most = max(run.megabytes for run in ours.values())
    yield Line("peak memory of a search", f"{most:.0f} MB", "", "2 GB", most < MEMORY)
    if setting.vendor:
        yield from _losses(setting)


def _ours(setting: Setting, method: str, count: int) -> Finished:
    methods = [] if method != "qtable" else [f"search.quantize_methods=[{','.join(METHODS)}]"]
    return setting.best(
        f"search_{method}", "recipe=efficientnet_lite0", f"model.path={setting.network}",
        f"dataset.path={setting.pictures}", f"calibration.input_num={count}", f"search={method}",
        "search.inference_num=30", f"search.expected_cos={EXPECTED_COS}", *methods,
        "stop_after=search", "cache=null",
    )  # fmt: skip


def _vendors(setting: Setting, method: str, count: int) -> Finished:
    folder = setting.folder(f"vendor_{method}")
    for file in (setting.work / "search_qtable" / "run").glob("efficientnet_lite0*"):
        if file.suffix in (".mlir", ".npz"):
            (folder / file.name).write_bytes(file.read_bytes())
    return setting.vendors(
        f"vendor_{method}", "run_calibration", "efficientnet_lite0.mlir", "--dataset",
        setting.pictures, "--input_num", str(count), "--inference_num", "30", "--search",
        f"search_{method}", "--quantize_method_list", ",".join(METHODS).upper(),
        "--expected_cos", str(EXPECTED_COS), "--max_float_layers", "5", "--chip", "bm1684x",
        "--quantize_table", "qtable", "-o", "table", may_fail=True,
    )  # fmt: skip


def _time(name: str, ours: Finished, theirs: Finished | None) -> Line:
    figure = f"search={name}, whole process"
    if theirs is None:
        goal = f"{FASTER[name]:.0f} x TPU-MLIR" if name in FASTER else ""
        return Line(figure, f"{ours.seconds:.1f} s", goal=goal)
    ratio = theirs.seconds / ours.seconds
    against = f"TPU-MLIR {theirs.seconds:.0f} s"
    goal = f"{ratio:.1f} x of {FASTER[name]:.0f} x"
    return Line(figure, f"{ours.seconds:.1f} s", against, goal, ratio >= FASTER[name])


def _losses(setting: Setting) -> Iterator[Line]:
    folder = setting.work / "vendor_qtable"
    theirs = (folder / "Search_Qtable").read_text()
    tables = {m: table_text.read(folder / f"table_{m}_tune") for m in METHODS}
    mlir = folder / "efficientnet_lite0.mlir"
    ours = log_on(mlir, Path(setting.pictures), tables, (EXPECTED_COS, 5))
    mine, other = candidates(ours), candidates(theirs)
    against = f"TPU-MLIR {other}"
    yield Line("candidates of search=qtable", str(mine), against, "as many", mine == other)
    pairs = comparable(ours, theirs)
    most = max((abs(a - b) / b for a, b in pairs), default=1.0)
    figure = f"losses of {len(pairs)} candidates on TPU-MLIR's tables"
    yield Line(figure, f"{most:.1e} relative at most", "", f"{NEAR:.0e}", most <= NEAR)
    same = worst_ops(ours)[:WORST] == worst_ops(theirs)[:WORST]
    answer = "the same" if same else "another"
    yield Line(f"order of the {WORST} worst ops", answer, "", "the same", same)
