"""Regenerates `bert_wide.json` and `bert_inside.json` of `transformers/`, by TPU-MLIR.

    TPUC_VENDOR=<virtual environment> python -m tests.golden.make_bert_tables

bert_wide     digests of bert in INT8 on `transformers.wide_table()`, whose powers vanish
bert_inside   [op, type] by name for each quantize table of `transformers.inside_tables()`
"""

from __future__ import annotations

import hashlib
import json
import os
import re
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


def deploy(folder: Path, table: str, *options: str) -> None:
    call(folder, "model_deploy", "--mlir", "bert.mlir", "--quantize", "INT8", "--processor",
         "bm1684x", "--calibration_table", table, "--model", "bert.bmodel", "--debug",
         "--not_gen_bmodel", *options)  # fmt: skip


def lowered_types(text: str) -> dict[str, list[str]]:
    """As `make_transformers` has them."""
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    pattern = r'"tpu\.(\w+)"\(.*-> tensor<[0-9x]*x?(!quant\.\w+<)?(\w+).* loc\((#loc\d+)\)$'
    words = {"i8": "si8", "u8": "ui8", "i32": "si32"}
    found = re.findall(pattern, text, re.M)
    return {names[loc]: [op, words.get(kind, kind)] for op, _, kind, loc in found}


def wide(folder: Path) -> dict[str, str]:
    (folder / "table").write_text(transformers.wide_table())
    np.savez(folder / "in.npz", **transformers.sample("bert", 1))
    deploy(folder, "table")
    call(folder, "model_runner", "--input", "in.npz", "--model",
         "bert_bm1684x_int8_sym_tpu.mlir", "--dump_all_tensors", "--output", "out.npz")  # fmt: skip
    with np.load(folder / "out.npz") as tensors:
        # the simulator changes a mask of int32 while it runs: its dump says nothing
        return {
            key: hashlib.sha256(np.ascontiguousarray(tensors[key], "<f4").tobytes()).hexdigest()
            for key in tensors.files
            if not key.endswith("_si32")
        }


def inside(folder: Path) -> dict[str, dict[str, list[str]]]:
    found = {}
    table = str(transformers.FOLDER / "bert_cali_table")
    for case, rows in transformers.inside_tables().items():
        (folder / "qtable").write_text("".join(f"{op} {mode}\n" for op, mode in rows.items()))
        deploy(folder, table, "--quantize_table", "qtable")
        found[case] = lowered_types((folder / "bert_bm1684x_int8_sym_tpu.mlir").read_text())
    return found


def main(folder: Path) -> None:
    transformers.onnx_file("bert", folder)
    shapes = str([list(s) for s in transformers.inputs("bert").values()]).replace(" ", "")
    call(folder, "model_transform", "--model_name", "bert", "--model_def", "bert.onnx",
         "--input_shapes", shapes, "--mlir", "bert.mlir")  # fmt: skip
    for name, content in (("wide", {"INT8": wide(folder)}), ("inside", inside(folder))):
        path = transformers.FOLDER / f"bert_{name}.json"
        path.write_text(json.dumps(content, indent=0) + "\n")
        print(path.name, {case: len(rows) for case, rows in content.items()})


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        main(Path(work))
