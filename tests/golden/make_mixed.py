"""Regenerates `mixed/`: every tensor of the builds of `mixed_cases`, as digests.

TPUC_VENDOR/bin/python tests/golden/make_mixed.py WORK_FOLDER [CASE ...]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden import networks  # noqa: E402
from tests.golden.mixed_cases import CASES, FOLDER, digest, qtable_text  # noqa: E402


def op_names(mlir: str) -> list[str]:
    """Names of the ops of a Top graph, in order, without inputs and weights."""
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', mlir, re.M))
    ops = re.findall(r'= "top\.(\w+)"\(.* loc\((#loc\d+)\)$', mlir, re.M)
    return [names[loc] for op, loc in ops if op not in ("Input", "Weight", "None")]


def make(name: str, work: Path) -> None:
    case = CASES[name]
    work.mkdir(parents=True, exist_ok=True)
    networks.onnx_file(case.network, work)
    np.savez(work / "in.npz", input=networks.sample(0))
    (work / "qtable").write_text(qtable_text(case, op_names(networks.mlir_text(case.network))))
    net, shape = case.network, str([list(networks.SHAPE)]).replace(" ", "")
    deploy = ["--mlir", f"{net}.mlir", "--quantize", case.mode, "--processor", case.processor]
    if case.mode == "INT8":
        deploy += ["--calibration_table", str(networks.table_file(net))]
        deploy += ["--quantize_table", "qtable"]
    commands = [
        ["model_transform", "--model_name", net, "--model_def", f"{net}.onnx", "--input_shapes",
         shape, "--mlir", f"{net}.mlir"],
        ["model_deploy", *deploy, "--model", f"{net}.bmodel", "--not_gen_bmodel"],
    ]  # fmt: skip
    for command in commands:
        _run(command, work)
    lowered = next(work.glob("*_tpu.mlir")).name
    run = ["model_runner", "--input", "in.npz", "--model", lowered, "--dump_all_tensors"]
    _run([*run, "--output", "out.npz"], work)
    found = np.load(work / "out.npz")
    digests = {key: digest(found[key]) for key in found.files}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(digests, indent=0, sort_keys=True) + "\n")
    print(name, len(digests), "tensors", flush=True)


def _run(command: list[str], folder: Path) -> None:
    tool = str(Path(sys.executable).parent / command[0])
    done = subprocess.run([tool, *command[1:]], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


if __name__ == "__main__":
    for chosen in sys.argv[2:] or list(CASES):
        make(chosen, Path(sys.argv[1]).resolve() / chosen)
