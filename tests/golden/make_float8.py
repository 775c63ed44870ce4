"""Regenerates `float8/`: builds of 8-bit floats for BM1690 as TPU-MLIR computes them.

    TPUC_VENDOR=<its virtual environment> .venv/bin/python -m tests.golden.make_float8 WORK_FOLDER

`tables/NETWORK` is the table that `run_calibration --debug_cmd fp8` makes of samples 0 to 3, in
its order. `networks.json` holds, for each build and network, the first 16 hex digits of sha256 of
every tensor for sample 0 (dequantized float32, little endian); `F8E4M3 unlimited` is TPU-MLIR's own
program with the limits of fused relus taken out. `operators.json` holds the same of single ops.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.golden import networks
from tests.golden.float8_cases import FOLDER, MODES, NETWORKS, cases, digest
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights
from tpuc.passes import canonicalize

TARGET = "chip=bm1690 mode={} num_device=1 num_core=1 addr_mode=auto high_precision=False"


def run(folder: Path, *command: str) -> None:
    """A program of TPU-MLIR; its output is shown if it fails."""
    programs = Path(os.environ["TPUC_VENDOR"]) / "bin"
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def write(graph: Graph, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(graph, folder / "top_weights.npz")
    (folder / "top.mlir").write_text(print_mlir(graph, "top_weights.npz"))


def lower(folder: Path, mode: str) -> None:
    passes = [
        f"--processor-assign={TARGET.format(mode)}",
        "--import-calibration-table=file=table asymmetric=False",
        "--processor-top-optimize",
        f"--convert-top-to-tpu=weightFileName=weights_{mode}.npz asymmetric=False",
        *("--canonicalize", "--weight-fold", "-o", f"{mode}.mlir"),
    ]
    run(folder, "tpuc-opt", "top.mlir", *passes)


def tensors(folder: Path, name: str) -> dict[str, str]:
    run(folder, "model_runner", "--input", "sample.npz", "--model", f"{name}.mlir",
        "--dump_all_tensors", "--output", "tensors.npz")  # fmt: skip
    found = np.load(folder / "tensors.npz")
    return {key: digest(found[key]) for key in found.files}


def network(name: str, work: Path) -> dict[str, dict[str, str]]:
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    graph = read_onnx(networks.onnx_file(name, folder))
    canonicalize(graph)
    write(graph, folder)
    (folder / "samples").mkdir(exist_ok=True)
    for index in range(4):
        np.savez(folder / "samples" / f"{index}.npz", input=networks.sample(index))
    shutil.copy(folder / "samples" / "0.npz", folder / "sample.npz")
    run(folder, "run_calibration", "top.mlir", "--dataset", "samples", "--input_num", "4",
        "--tune_num", "0", "--debug_cmd", "fp8", "--cali_method", "max", "-o", "table")  # fmt: skip
    shutil.copy(folder / "table", FOLDER / "tables" / name)
    found = {}
    for mode in MODES:
        lower(folder, mode)
        found[mode] = tensors(folder, mode)
    text = (folder / "F8E4M3.mlir").read_text()
    free = text.replace("relu_limit = 6.000000e+00", "relu_limit = -1.000000e+00")
    (folder / "unlimited.mlir").write_text(free)
    return {**found, "F8E4M3 unlimited": tensors(folder, "unlimited")}


def operators(work: Path) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = {}
    for index, case in enumerate(cases()):
        folder = work / f"op{index}"
        write(case.graph, folder)
        (folder / "table").write_text(case.table)
        np.savez(folder / "sample.npz", **case.feeds)
        for mode in MODES:
            lower(folder, mode)
            found.setdefault(case.name, {})[mode] = tensors(folder, mode)
    return found


def main(work: Path) -> None:
    (FOLDER / "tables").mkdir(parents=True, exist_ok=True)
    builds: dict[str, dict[str, dict[str, str]]] = {}
    for name in NETWORKS:
        for build, digests in network(name, work).items():
            builds.setdefault(build, {})[name] = digests
    for file, data in (("networks", builds), ("operators", operators(work))):
        (FOLDER / f"{file}.json").write_text(json.dumps(data, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
