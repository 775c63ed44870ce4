"""Regenerates `networks/`: what TPU-MLIR makes of torchvision's classifiers with made-up weights.

    TPUC_VENDOR/bin/python tests/golden/make_networks.py WORK_FOLDER [NAME ...]

Run it with the Python of an installed TPU-MLIR (which brings torchvision). For each network it
writes `NAME.onnx` (structure only; `weights.py` gives the numbers), `NAME.mlir` (TPU-MLIR's
canonical Top graph), `NAME_cali_table` and `NAME.json` (sha256 of every tensor of the INT8 network
on bm1684x for one sample, dequantized float32, little endian). The intermediate files stay in
WORK_FOLDER/NAME.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torchvision

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from weights import fill_weights, made_input, strip_weights  # noqa: E402

SHAPE = (1, 3, 64, 64)
NETWORKS = {
    # name: (constructor, keep BatchNormalization nodes, opset)
    "resnet18": (torchvision.models.resnet18, True, 13),
    "mobilenet_v2": (torchvision.models.mobilenet_v2, False, 13),
    "mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, True, 14),
    "squeezenet1_1": (torchvision.models.squeezenet1_1, False, 9),
    "shufflenet_v2_x0_5": (torchvision.models.shufflenet_v2_x0_5, True, 11),
    "efficientnet_b0": (torchvision.models.efficientnet_b0, False, 17),
    "densenet121": (torchvision.models.densenet121, True, 12),
    "googlenet": (
        lambda: torchvision.models.googlenet(init_weights=False, aux_logits=False),
        False,
        13,
    ),
}


def export(name: str, folder: Path) -> Path:
    build, keep_bn, opset = NETWORKS[name]
    torch.manual_seed(0)
    model = build().eval()
    raw = folder / f"{name}.raw.onnx"
    mode = torch.onnx.TrainingMode.PRESERVE if keep_bn else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(
        model,
        torch.zeros(SHAPE),
        str(raw),
        input_names=["input"],
        output_names=["output"],
        opset_version=opset,
        training=mode,
        dynamo=False,
    )
    proto = onnx.load(str(raw))
    skeleton = onnx.load(str(raw))
    strip_weights(skeleton)
    onnx.save(skeleton, str(HERE / "networks" / f"{name}.onnx"))
    fill_weights(proto)
    path = folder / f"{name}.onnx"
    onnx.save(proto, str(path))
    return path


def run(folder: Path, *command: str) -> None:
    bin_folder = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def make(name: str, work: Path) -> None:
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "samples").mkdir(parents=True)
    onnx_path = export(name, folder)
    for index in range(8):
        np.savez(folder / "samples" / f"{index:03d}.npz", input=made_input(index, SHAPE) * 2 - 1)
    shapes = str([list(SHAPE)]).replace(" ", "")
    run(folder, "model_transform", "--model_name", name, "--model_def", onnx_path.name,
        "--input_shapes", shapes, "--mlir", f"{name}.mlir")  # fmt: skip
    run(folder, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num", "8",
        "--tune_num", "0", "-o", f"{name}_cali_table")  # fmt: skip
    run(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", "INT8", "--processor",
        "bm1684x", "--calibration_table", f"{name}_cali_table", "--model", f"{name}.bmodel",
        "--debug", "--not_gen_bmodel")  # fmt: skip
    lowered = f"{name}_bm1684x_int8_sym_tpu.mlir"
    run(folder, "model_runner", "--input", "samples/000.npz", "--model", lowered,
        "--dump_all_tensors", "--output", f"{name}_tpu_tensors.npz")  # fmt: skip
    tensors = np.load(folder / f"{name}_tpu_tensors.npz")
    digests = {
        key: hashlib.sha256(np.ascontiguousarray(tensors[key], "<f4").tobytes()).hexdigest()
        for key in tensors.files
    }
    out = HERE / "networks"
    (out / f"{name}.json").write_text(json.dumps(digests, indent=0, sort_keys=True) + "\n")
    shutil.copy(folder / f"{name}.mlir", out / f"{name}.mlir")
    shutil.copy(folder / f"{name}_cali_table", out / f"{name}_cali_table")
    types = {mode: float_types(name, mode, folder) for mode in ("F16", "BF16")}
    (out / f"{name}_types.json").write_text(json.dumps(types, indent=0, sort_keys=True) + "\n")
    print(name, len(digests), "tensors", flush=True)


def float_types(name: str, mode: str, folder: Path) -> dict[str, list[str]]:
    """[op, type] by name in a float build."""
    run(folder, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", mode, "--processor",
        "bm1684x", "--model", f"{name}.bmodel", "--debug", "--not_gen_bmodel")  # fmt: skip
    text = (folder / f"{name}_bm1684x_{mode.lower()}_tpu.mlir").read_text()
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    pattern = (
        r'"tpu\.(\w+)"\(.*-> tensor<[0-9x]*x?(?:!quant\.calibrated<)?(\w+).* loc\((#loc\d+)\)$'
    )
    return {names[loc]: [op, kind] for op, kind, loc in re.findall(pattern, text, re.M)}


if __name__ == "__main__":
    torch.set_num_threads(2)
    for chosen in sys.argv[2:] or list(NETWORKS):
        make(chosen, Path(sys.argv[1]).resolve())
