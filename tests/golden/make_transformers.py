"""Regenerates `transformers/`: what TPU-MLIR makes of small transformers and detectors.

    TPUC_VENDOR/bin/python -m tests.golden.make_transformers WORK_FOLDER [NAME ...]

Run it in the root of the repository with the Python of an installed TPU-MLIR (which brings torch).
For each network it writes `NAME.onnx` (structure only), `NAME.mlir` (TPU-MLIR's canonical Top
graph), `NAME_cali_table`, and for each build on bm1684x (`MIXED`: by `transformers.qtable`)
`NAME.json` (sha256 of every tensor for one sample, dequantized float32, little endian) and
`NAME_types.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch

from tests.golden import transformer_nets as nets
from tests.golden import transformers

BUILDS: dict[str, tuple[Callable[[], torch.nn.Module], int]] = {
    # name: (constructor, opset)
    "bert": (nets.Bert, 13),
    "vit": (nets.Vit, 17),
    "deit": (lambda: nets.Vit("index"), 13),
    "swin": (nets.Swin, 17),
    "yolov5": (nets.YoloV5, 13),
    "yolov8": (nets.YoloV8, 13),
    "yolov11": (lambda: nets.YoloV8(True), 13),
}
SAMPLE = 1


def export(name: str, folder: Path) -> Path:
    build, opset = BUILDS[name]
    torch.manual_seed(0)
    given = tuple(torch.from_numpy(v) for v in transformers.sample(name, 0).values())
    names = list(transformers.inputs(name))
    raw = folder / f"{name}.raw.onnx"
    torch.onnx.export(
        build().eval(), given, str(raw), input_names=names, opset_version=opset, dynamo=False
    )
    model, skeleton = onnx.load(str(raw)), onnx.load(str(raw))
    for tensor in skeleton.graph.initializer:
        is_float = tensor.data_type == onnx.TensorProto.FLOAT
        if transformers.is_made(tensor.name, tuple(tensor.dims), is_float):
            tensor.ClearField("raw_data")
    onnx.save(skeleton, str(transformers.FOLDER / f"{name}.onnx"))
    transformers.fill(model)
    onnx.save(model, str(folder / f"{name}.onnx"))
    return folder / f"{name}.onnx"


def run(folder: Path, *command: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def lowered_types(text: str) -> dict[str, list[str]]:
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    pattern = r'"tpu\.(\w+)"\(.*-> tensor<[0-9x]*x?(!quant\.\w+<)?(\w+).* loc\((#loc\d+)\)$'
    words = {"i8": "si8", "i16": "si16", "u8": "ui8", "i32": "si32"}
    found = re.findall(pattern, text, re.M)
    return {names[loc]: [op, words.get(kind, kind)] for op, _, kind, loc in found}


def op_names(mlir: Path) -> list[str]:
    """Names of the ops of a Top graph, in order, without inputs and weights."""
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', mlir.read_text(), re.M))
    ops = re.findall(r'= "top\.(\w+)"\(.* loc\((#loc\d+)\)$', mlir.read_text(), re.M)
    return [names[loc] for op, loc in ops if op not in ("Input", "Weight", "None") and loc in names]


def make(name: str, work: Path) -> None:
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "samples").mkdir(parents=True)
    export(name, folder)
    for index in range(8):
        np.savez(folder / "samples" / f"{index:03d}.npz", **transformers.sample(name, index))
    shapes = str([list(s) for s in transformers.inputs(name).values()]).replace(" ", "")
    run(folder, "model_transform", "--model_name", name, "--model_def", f"{name}.onnx",
        "--input_shapes", shapes, "--mlir", f"{name}.mlir")  # fmt: skip
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num", "8",
        "--tune_num", "0", "-o", f"{name}_cali_table")  # fmt: skip
    digests, types = {}, {}
    (folder / "qtable").write_text(transformers.qtable(op_names(folder / f"{name}.mlir")))
    builds = [("INT8", "int8_sym"), ("F16", "f16"), ("BF16", "bf16")]
    for mode, suffix in builds + [("MIXED", "int8_sym")] * (name in transformers.MIXED):
        mixed = mode == "MIXED"
        run(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize",
            "INT8" if mixed else mode, "--processor", "bm1684x",
            "--calibration_table", f"{name}_cali_table", "--model", f"{name}.bmodel",
            "--debug", "--not_gen_bmodel",
            *(["--quantize_table", "qtable"] if mixed else []))  # fmt: skip
        lowered = f"{name}_bm1684x_{suffix}_tpu.mlir"
        run(folder, "model_runner", "--input", f"samples/{SAMPLE:03d}.npz", "--model", lowered,
            "--dump_all_tensors", "--output", f"{mode}.npz")  # fmt: skip
        tensors = np.load(folder / f"{mode}.npz")
        # the simulator changes a mask of int32 while it runs: its dump says nothing
        kept = [key for key in tensors.files if not key.endswith("_si32")]
        digests[mode] = {
            key: hashlib.sha256(np.ascontiguousarray(tensors[key], "<f4").tobytes()).hexdigest()
            for key in kept
        }
        types[mode] = lowered_types((folder / lowered).read_text())
    out = transformers.FOLDER
    for suffix, content in (("", digests), ("_types", types)):
        (out / f"{name}{suffix}.json").write_text(json.dumps(content, indent=0) + "\n")
    for file in (f"{name}.mlir", f"{name}_cali_table"):
        shutil.copy(folder / file, out / file)
    print(name, len(digests["INT8"]), "tensors", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(2)
    transformers.FOLDER.mkdir(exist_ok=True)
    for chosen in sys.argv[2:] or list(BUILDS):
        make(chosen, Path(sys.argv[1]).resolve())
