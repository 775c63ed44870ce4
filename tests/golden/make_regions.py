"""Regenerates `regions/`: what TPU-MLIR makes of RoiAlign and NonMaxSuppression.

    TPUC_VENDOR=<virtual environment> python -m tests.golden.make_regions

For each network: `NAME.mlir` (canonical Top graph), `NAME_cali_table`, and `NAME.npz` with every
tensor of each build on bm1684x, dequantized float32, as `MODE:tensor`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx

from tests.golden.regions_cases import CASES, FOLDER, model, sample

MODES = {"INT8": "int8_sym", "F16": "f16", "BF16": "bf16", "F32": "f32"}


def call(folder: Path, *command: str) -> None:
    programs = Path(os.environ["TPUC_VENDOR"]) / "bin"
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    line = [str(programs / command[0]), *command[1:]]
    subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=env)


def make(name: str, folder: Path) -> None:
    onnx.save(model(name), str(folder / f"{name}.onnx"))
    (folder / "samples").mkdir()
    np.savez(folder / "samples" / "0.npz", **sample(name))
    shapes = str([list(v.shape) for v in sample(name).values()]).replace(" ", "")
    call(folder, "model_transform", "--model_name", name, "--model_def", f"{name}.onnx",
         "--input_shapes", shapes, "--mlir", f"{name}.mlir")  # fmt: skip
    call(folder, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num", "1",
         "--tune_num", "0", "-o", f"{name}_cali_table")  # fmt: skip
    found = {}
    for mode, suffix in MODES.items():
        call(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", mode, "--processor",
             "bm1684x", "--calibration_table", f"{name}_cali_table", "--model", "out.bmodel",
             "--debug", "--not_gen_bmodel")  # fmt: skip
        call(folder, "model_runner", "--input", "samples/0.npz", "--model",
             f"{name}_bm1684x_{suffix}_tpu.mlir", "--dump_all_tensors", "--output",
             f"{mode}.npz")  # fmt: skip
        with np.load(folder / f"{mode}.npz") as tensors:
            found |= {f"{mode}:{key}": tensors[key].astype(np.float32) for key in tensors.files}
    np.savez_compressed(FOLDER / f"{name}.npz", **found)
    for file in (f"{name}.mlir", f"{name}_cali_table"):
        shutil.copy(folder / file, FOLDER / file)
    print(name, len(found), "tensors")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for chosen in CASES:
        with tempfile.TemporaryDirectory() as work:
            make(chosen, Path(work))
