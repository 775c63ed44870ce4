"""Exchange with TPU-MLIR's own programs, both ways, network by network.

    TPUC_VENDOR=<its virtual environment> python -m tests.benchmarks.exchange WORK [NAME ...]

Ours to theirs: the `.mlir` and npz of a run folder through `tpuc-opt` and `run_calibration`, and
with our tables through `model_deploy` in three builds, whose tensors are held against those of our
simulator. Theirs to ours: the `.mlir` and npz of `model_transform` as `model.path`. What was found
goes into docs/exchange.json, which the migration page shows.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.benchmarks.exchange_cases import CASES, Case
from tests.golden.mixed_cases import MixedCase, qtable_text
from tpuc.calibration import table as table_text
from tpuc.ir import Graph, with_defaults
from tpuc.ir.text_parse import load_mlir

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "exchange.json"
BUILDS = {"INT8": "int8", "F16": "f16", "mixed": "int8"}
SAMPLES, JUDGED = 4, 1
_OURS = Path(sys.executable).parent
_THEIRS = Path(os.environ.get("TPUC_VENDOR", "")) / "bin"


class Failed(Exception):
    """A program ended badly; the message is the last line that it printed."""


def run(folder: Path, program: Path, *words: object) -> None:
    """Run a program in `folder`; its log stays there.

    Raises
    ------
    Failed
    """
    log = folder / f"{program.name}.log"
    path = f"{program.parent}:{os.environ['PATH']}"
    with log.open("w") as out:
        done = subprocess.run(
            [str(program), *map(str, words)], cwd=folder, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path, "TPUC_CACHE": str(folder.parent / "cache")},
        )  # fmt: skip
    if done.returncode not in (0, 3 if program.name == "tpuc" else 0):
        words = re.split(r"[\r\n\x08]+", log.read_text(errors="replace"))
        said = [line.strip() for line in words if re.search(r"(Error|Assertion|tpuc):? ", line)]
        raise Failed(f"`{program.name}` fails{': ' + said[-1][:100] if said else ''}")


def build(folder: Path, model: Path, case: Case, kind: str, inputs: list[str]) -> Path:
    """Our build; the run folder."""
    words = [
        "recipe=custom", f"model.path={model}", "model.name=net", "dataset.path=samples",
        "calibration=kl", f"calibration.input_num={SAMPLES}", "calibration.tune_num=0",
        f"quantize={BUILDS[kind]}", f"hydra.run.dir={kind}", "evaluation.input_num=1",
        "report.html=false",
    ]  # fmt: skip
    if model.suffix != ".mlir":
        shapes = [list(a.shape) for a in case.sample(0).values()]
        words.append(f"model.input_shapes={json.dumps(shapes).replace(' ', '')}")
    if case.postprocess and model.suffix != ".mlir":
        words.append(f"model.add_postprocess={case.postprocess}")
    if kind == "mixed":
        (folder / "types").write_text(qtable_text(MixedCase("net", "INT8", ("F16",), 4), inputs))
        words.append("quantize.table=types")
    else:
        words.append("quantize.pattern_match=false")
    run(folder, _OURS / "tpuc", *words)
    return folder / kind


def ours(folder: Path, kind: str) -> dict[str, np.ndarray]:
    """Tensors of our simulator, dequantized."""
    (bmodel,) = (folder / kind).glob("*.bmodel")
    sample = f"samples/{JUDGED:03d}.npz"
    out = f"{kind}.npz"
    run(folder, _OURS / "tpuc-tool", "run", bmodel, "--input", sample, "--output", out, "--all")
    return dict(np.load(folder / out))


def deploy(folder: Path, kind: str, tables: Path) -> dict[str, np.ndarray]:
    """Tensors of TPU-MLIR's simulator for net.mlir in `folder`, with our tables."""
    mode = BUILDS[kind].upper()
    words = ["--mlir", "net.mlir", "--quantize", mode, "--chip", "bm1684x"]
    words += ["--model", f"{kind}.bmodel", "--not_gen_bmodel"]
    if mode == "INT8":
        words += ["--calibration_table", tables / "net_cali_table"]
    if (tables / "net_qtable").exists():
        words += ["--quantize_table", tables / "net_qtable"]
    for old in folder.glob("*_tpu.mlir"):
        old.unlink()
    run(folder, _THEIRS / "model_deploy", *words)
    (lowered,) = folder.glob("*_tpu.mlir")
    sample = folder.parent / "samples" / f"{JUDGED:03d}.npz"
    run(folder, _THEIRS / "model_runner", "--input", sample, "--model", lowered.name,
        "--dump_all_tensors", "--output", f"{kind}.npz")  # fmt: skip
    return dict(np.load(folder / f"{kind}.npz"))


def equal(mine: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str:
    """How many of their tensors are ours, bit by bit; which is the first that is not."""
    # their simulator changes whole numbers of 32 bits while it runs: its dump says nothing
    names = [n for n in other if not n.endswith("_si32") and other[n].dtype != np.int32]
    wrong = [n for n in names if n not in mine or not _same(mine[n], other[n])]
    said = f"{len(names) - len(wrong)}/{len(names)}"
    return f"{said}; first: {wrong[0]}" if wrong else said


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.size == b.size and np.array_equal(
        a.astype(np.float32).ravel(), b.astype(np.float32).ravel(), equal_nan=True
    )


def thresholds(mine: Path, other: Path) -> str:
    """How many thresholds agree within 1e-4."""
    a, b = (table_text.read(p).ranges for p in (mine, other))
    good = [
        n for n in b if n in a
        and abs(a[n].threshold - b[n].threshold) <= 1e-4 * max(abs(b[n].threshold), 1e-5)
    ]  # fmt: skip
    return f"{len(good)}/{len(b)}"


def lines(graph: Graph) -> list[tuple[object, ...]]:
    """What counts of a graph's ops."""
    found = []
    for node in graph:
        attrs = {} if node.op == "Input" else with_defaults(node.op, node.attrs)
        found.append((node.op, node.name, attrs, [v.shape for v in node.outputs]))
    return found


def same_ops(mine: Path, other: Path) -> str:
    """How many ops of two files agree."""
    a, b = lines(load_mlir(mine)), lines(load_mlir(other))
    good = sum(x == y for x, y in zip(a, b))
    return f"{good}/{max(len(a), len(b))}"


def attempt(found: dict[str, str], what: str, work: object) -> None:
    """Keep what `work` says, or why it failed."""
    try:
        found[what] = work()  # type: ignore[operator]
    except Failed as error:
        found[what] = str(error)
    except Exception as error:  # one network must not end the others
        found[what] = f"{type(error).__name__}: {error}"[:160]


def exchange(case: Case, folder: Path) -> dict[str, str]:
    """All steps of one network."""
    found: dict[str, str] = {}
    for part in ("samples", "given", "theirs"):
        (folder / part).mkdir(parents=True)
    model = case.write(folder)
    shapes = [list(a.shape) for a in case.sample(0).values()]
    options = ["--channel_format", "none"] if model.suffix == ".pt" else []
    options += ["--add_postprocess", case.postprocess] if case.postprocess else []
    transform = (
        folder / "theirs", _THEIRS / "model_transform", "--model_name", "net", "--model_def", model,
        "--input_shapes", json.dumps(shapes).replace(" ", ""), "--mlir", "net.mlir", *options,
    )  # fmt: skip
    run(*transform)
    theirs = load_mlir(folder / "theirs" / "net.mlir")
    inputs = [v.name for v in theirs.inputs]
    for index in range(SAMPLES):
        arrays = dict(zip(inputs, case.sample(index).values()))
        np.savez(folder / "samples" / f"{index:03d}.npz", **arrays)
    build(folder, model, case, "INT8", [])
    names = [n.name for n in load_mlir(folder / "INT8" / "net.mlir") if n.op != "Input"]
    for kind in ("F16", "mixed"):
        build(folder, model, case, kind, names)
    first = folder / "INT8"
    for file in ("net.mlir", "net_top_weights.npz"):
        shutil.copy(first / file, folder / "given")
    _given(case, folder, found)
    found["same ops"] = same_ops(first / "net.mlir", folder / "theirs" / "net.mlir")
    back = folder / "back"
    back.mkdir()
    shutil.copytree(folder / "samples", back / "samples")

    def ours_of_theirs() -> str:
        build(back, folder / "theirs" / "net.mlir", case, "INT8", names)
        return thresholds(back / "INT8" / "net_cali_table", first / "net_cali_table")

    attempt(found, "table of theirs", ours_of_theirs)
    attempt(found, "tensors of theirs", lambda: equal(
        ours(back, "INT8"), deploy(folder / "theirs", "INT8", back / "INT8")))  # fmt: skip
    return found


def _given(case: Case, folder: Path, found: dict[str, str]) -> None:
    """Ours to theirs."""
    given, first = folder / "given", folder / "INT8"

    def parsed() -> str:
        again = [] if case.postprocess else ["--shape-infer"]  # fails there on its own files, too
        run(given, _THEIRS / "tpuc-opt", "net.mlir", *again, "--canonicalize",
            "--extra-optimize", "-o", "again.mlir")  # fmt: skip
        return same_ops(first / "net.mlir", given / "again.mlir")

    def calibrated() -> str:
        run(given, _THEIRS / "run_calibration", "net.mlir", "--dataset", folder / "samples",
            "--input_num", SAMPLES, "--tune_num", 0, "-o", "table")  # fmt: skip
        return thresholds(first / "net_cali_table", given / "table")

    attempt(found, "tpuc-opt", parsed)
    attempt(found, "run_calibration", calibrated)
    for kind in BUILDS:
        attempt(found, f"model_deploy {kind}", lambda kind=kind: equal(
            ours(folder, kind), deploy(given, kind, folder / kind)))  # fmt: skip


def main() -> None:
    """Try the networks that are named, else all; keep what was found of the others."""
    work = Path(sys.argv[1]).resolve()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[2:] or list(CASES):
        folder = work / re.sub(r"\W+", "_", name)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            results[name] = exchange(CASES[name], folder)
        except Failed as error:
            results[name] = {"not begun": str(error)}
        print(name, json.dumps(results[name], indent=1), flush=True)
        kept = {**json.loads(RESULTS.read_text()), name: results[name]}  # others may run, too
        RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(summary(json.loads(RESULTS.read_text())))


def summary(results: Mapping[str, Mapping[str, str]]) -> str:
    """A line for each network: columns that are equal throughout, then those that are not."""
    rows = []
    for name, found in sorted(results.items()):
        unequal = [f"{k} {v}" for k, v in found.items() if not _whole(v)]
        good = len(found) - len(unequal)
        rows.append(f"{name:32} {good}/{len(found)} equal" + "".join(f"; {u}" for u in unequal))
    return "\n".join(rows)


def _whole(said: str) -> bool:
    found = re.fullmatch(r"(\d+)/(\d+)", said)
    return found is not None and found[1] == found[2]


if __name__ == "__main__":
    main()
