"""Regenerates `float_order/ops*`: float builds of ops whose last bit depends on the steps.

    TPUC_VENDOR/bin/python tests/golden/make_float_ops.py WORK_FOLDER

`ops.mlir` is the canonical Top graph, `ops_F16.npz` and `ops_BF16.npz` are the results of its ops
in TPU-MLIR's F16 and BF16 builds (float32, as dumped); inputs and weights are made from their
names.
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

OUT = Path(__file__).resolve().parent / "float_order"
BORDERS = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
OPS = {
    # name: (op, shape of the input, attributes)
    "softmax_last": ("Softmax", (1, 3, 7, 50), {"axis": -1}),
    "softmax_channels": ("Softmax", (1, 21, 5, 4), {"axis": 1}),
    "mean_last": ("ReduceMean", (1, 6, 11, 100), {"axes": [-1], "keepdims": 1}),
    "mean_two": ("ReduceMean", (1, 9, 10, 11), {"axes": [1, 2], "keepdims": 0}),
    "global_pool": ("GlobalAveragePool", (1, 30, 7, 7), {}),
    "pool_counting_pads": ("AveragePool", (1, 8, 9, 9), {**BORDERS, "count_include_pad": 1}),
    "pool_without_pads": ("AveragePool", (1, 8, 9, 9), {**BORDERS, "count_include_pad": 0}),
    "sigmoid": ("Sigmoid", (1, 8, 9, 9), {}),
    "hard_sigmoid": ("HardSigmoid", (1, 8, 9, 9), {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("HardSwish", (1, 8, 9, 9), {}),
    "tanh": ("Tanh", (1, 8, 9, 9), {}),
    "softplus": ("Softplus", (1, 8, 9, 9), {}),
    "exp": ("Exp", (1, 8, 9, 9), {}),
}
NORMS = {
    "layer_norm": ("LayerNormalization", (1, 9, 33)),
    "instance_norm": ("InstanceNormalization", (1, 5, 7, 9)),
}
SIZES = {"resize_half_pixel": (20, 23), "resize_align_corners": (17, 14)}


def _network() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    nodes, constants, feeds = [], [], {}
    for name, (op, shape, attributes) in OPS.items():
        nodes.append(helper.make_node(op, [f"{name}_x"], [name], **attributes))
        feeds[f"{name}_x"] = made(f"{name}_x", shape)
    for name, size in SIZES.items():
        mode = name.removeprefix("resize_")
        inputs = [f"{name}_x", "", "", f"{name}_s"]
        nodes.append(
            helper.make_node(
                "Resize", inputs, [name], mode="linear", coordinate_transformation_mode=mode
            )
        )
        constants.append(numpy_helper.from_array(np.array([1, 4, *size]), f"{name}_s"))
        feeds[f"{name}_x"] = made(f"{name}_x", (1, 4, 9, 8))
    for name, (op, shape) in NORMS.items():
        weights = [f"{name}_w", f"{name}_b"]
        nodes.append(helper.make_node(op, [f"{name}_x", *weights], [name], epsilon=1e-5))
        size = shape[-1 if op == "LayerNormalization" else 1]
        constants += [numpy_helper.from_array(made(w, (size,)), w) for w in weights]
        feeds[f"{name}_x"] = made(f"{name}_x", shape)
    nodes += [
        helper.make_node("Relu", ["resize_half_pixel"], ["limited"]),
        helper.make_node("Sigmoid", ["silu_x"], ["silu_s"]),
        helper.make_node("Mul", ["silu_x", "silu_s"], ["silu"]),
    ]
    feeds["silu_x"] = made("silu_x", (1, 8, 9, 9))
    inputs = [
        helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feeds.items()
    ]
    names = [*OPS, *SIZES, *NORMS, "silu", "limited"]
    outputs = [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in names]
    graph = helper.make_graph(nodes, "ops", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model, feeds


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    model, feeds = _network()
    onnx.save(model, work / "ops.onnx")
    np.savez(work / "in.npz", **feeds)
    shapes = "[" + ",".join(str(list(v.shape)).replace(" ", "") for v in feeds.values()) + "]"
    transform = "model_transform --model_name ops --model_def ops.onnx --mlir ops.mlir"
    _run([*transform.split(), "--input_shapes", shapes], work)
    shutil.copy(work / "ops.mlir", OUT / "ops.mlir")
    shutil.copy(work / "ops_top_f32_all_weight.npz", OUT)
    for mode in ("F16", "BF16"):
        deploy = f"model_deploy --mlir ops.mlir --quantize {mode} --chip bm1684x --not_gen_bmodel"
        lowered = f"ops_bm1684x_{mode.lower()}_tpu.mlir"
        run = f"model_runner --model {lowered} --input in.npz --output {mode}.npz"
        _run([*deploy.split(), "--model", "ops.bmodel"], work)
        _run([*run.split(), "--dump_all_tensors"], work)
        found = np.load(work / f"{mode}.npz")
        names = [k for k in found.files if not k.endswith(("_x", "_f16", "_bf16", "_f32"))]
        kept = {k: found[k].astype(np.float32) for k in names}
        np.savez_compressed(OUT / f"ops_{mode}.npz", **kept)


def _run(command: list[str], folder: Path) -> None:
    tool = Path(sys.executable).parent / command[0]
    subprocess.run([str(tool), *command[1:]], cwd=folder, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
