"""Regenerates `transformers/bert_wide.json`: attention whose powers vanish, by TPU-MLIR.

    TPUC_VENDOR=<virtual environment> python -m tests.golden.make_wide_attention

Digests as `make_transformers` writes them, of bert in INT8 on `transformers.wide_table()`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.golden import transformers


def call(folder: Path, *command: str) -> None:
    programs = Path(os.environ["TPUC_VENDOR"]) / "bin"
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    line = [str(programs / command[0]), *command[1:]]
    subprocess.run(line, cwd=folder, check=True, capture_output=True, env=env)


def main(folder: Path) -> None:
    transformers.onnx_file("bert", folder)
    (folder / "table").write_text(transformers.wide_table())
    np.savez(folder / "in.npz", **transformers.sample("bert", 1))
    shapes = str([list(s) for s in transformers.inputs("bert").values()]).replace(" ", "")
    call(folder, "model_transform", "--model_name", "bert", "--model_def", "bert.onnx",
         "--input_shapes", shapes, "--mlir", "bert.mlir")  # fmt: skip
    call(folder, "model_deploy", "--mlir", "bert.mlir", "--quantize", "INT8", "--processor",
         "bm1684x", "--calibration_table", "table", "--model", "bert.bmodel", "--debug",
         "--not_gen_bmodel")  # fmt: skip
    call(folder, "model_runner", "--input", "in.npz", "--model",
         "bert_bm1684x_int8_sym_tpu.mlir", "--dump_all_tensors", "--output", "out.npz")  # fmt: skip
    with np.load(folder / "out.npz") as tensors:
        # the simulator changes a mask of int32 while it runs: its dump says nothing
        found = {
            key: hashlib.sha256(np.ascontiguousarray(tensors[key], "<f4").tobytes()).hexdigest()
            for key in tensors.files
            if not key.endswith("_si32")
        }
    path = transformers.FOLDER / "bert_wide.json"
    path.write_text(json.dumps({"INT8": found}, indent=0) + "\n")
    print(len(found), "tensors")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        main(Path(work))
