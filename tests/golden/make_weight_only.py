"""Regenerates `weight_only/`: products with weights of 8 and 4 bits, as TPU-MLIR computes them.

    TPUC_VENDOR/bin/python tests/golden/make_weight_only.py WORK_FOLDER

`net.mlir` is the canonical Top graph, `MODE_SIZE_SYMMETRIC.npz` holds the results of its products
(float32); inputs and weights are made from their names. TPU-MLIR drops the relu of a product in
BF16 builds: only what comes before it is kept there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden.float_cases import made  # noqa: E402

OUT = Path(__file__).resolve().parent / "weight_only"
BUILDS = [
    ("W8F16", 0, False),
    ("W8F16", 64, False),
    ("W8F16", 32, True),
    ("W8BF16", 64, False),
    ("W4F16", 64, False),
    ("W4F16", 32, True),
    ("W4BF16", 64, False),
]
TARGET = "chip=bm1684x mode={} num_device=1 num_core=1 addr_mode=auto high_precision=False"
TYPES = "weightFileName={}_weights.npz asymmetric=False q_group_size={} q_symmetric={}"


def _network() -> onnx.ModelProto:
    weights = {"hidden_w": (128, 128), "hidden_b": (128,), "y_w": (128, 16)}
    constants = [numpy_helper.from_array(made(k, s), k) for k, s in weights.items()]
    nodes = [
        helper.make_node("MatMul", ["x", "hidden_w"], ["product"]),
        helper.make_node("Add", ["product", "hidden_b"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "y_w"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 5, 128))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 5, 16))
    graph = helper.make_graph(nodes, "net", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(exist_ok=True)
    onnx.save(_network(), work / "net.onnx")
    np.savez(work / "in.npz", x=made("x", (2, 5, 128)))
    transform = "model_transform --model_name net --model_def net.onnx --mlir net.mlir"
    _run(transform.split(), work)
    for name in ("net.mlir", "net_top_f32_all_weight.npz"):
        shutil.copy(work / name, OUT)
    for mode, size, symmetric in BUILDS:
        name = f"{mode}_{size}_{symmetric}"
        passes = [
            f"--processor-assign={TARGET.format(mode)}",
            "--processor-top-optimize",
            f"--convert-top-to-tpu={TYPES.format(name, size, symmetric)}",
            *("--canonicalize", "--weight-fold", "-o", f"{name}.mlir"),
        ]
        _run(["tpuc-opt", "net.mlir", *passes], work)
        run = f"model_runner --model {name}.mlir --input in.npz --output {name}_out.npz"
        _run([*run.split(), "--dump_all_tensors"], work)
        found = np.load(work / f"{name}_out.npz")
        first = "hidden_Relu" if mode.endswith("BF16") else "hidden_Relu_a16matmul"
        kept = {"hidden_Relu_a16matmul": found[first].astype(np.float32)}
        if not mode.endswith("BF16"):
            kept |= {k: found[k].astype(np.float32) for k in ("hidden_Relu", "y_MatMul")}
        np.savez_compressed(OUT / f"{name}.npz", **kept)


def _run(command: list[str], folder: Path) -> None:
    tool = Path(sys.executable).parent / command[0]
    subprocess.run([str(tool), *command[1:]], cwd=folder, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
