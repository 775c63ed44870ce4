"""Regenerates `qdm/`: single ops on processors that requantize in two steps and have BF16 tables.

    TPUC_VENDOR/bin/python tests/golden/make_qdm.py WORK_FOLDER

`ops.mlir` and its weights are TPU-MLIR's Top graph of the ops below, `ops_table` its calibration
table, `ops_INT8.json` and `ops_BF16.json` the digests of all tensors of sample 0 for cv183x;
`resizing*` are the same of pictures that become larger and smaller.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden.mixed_cases import digest  # noqa: E402
from tests.golden.weights import made_input  # noqa: E402

OUT = Path(__file__).resolve().parent / "qdm"
SHAPE = (1, 3, 16, 16)
BORDER = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
ONE = {"kernel_shape": [1, 1]}
PADS = np.array([0, 0, 1, 2, 0, 0, 3, 1])
rng = np.random.default_rng(5)


def made(*shape: int, scale: float = 1.0, mean: float = 0.0) -> np.ndarray:
    """Normal numbers."""
    return (rng.standard_normal(shape) * scale + mean).astype(np.float32)


def number(value: float) -> np.ndarray:
    """One number."""
    return np.array(value, np.float32)


OPS: dict[str, tuple[str, list[str | np.ndarray], dict]] = {
    # name: (op, operands: names or constants, attributes)
    "a": ("Conv", ["x", made(8, 3, 3, 3, scale=0.3), made(8, scale=0.3)], BORDER),
    "b_": ("Conv", ["x", made(8, 3, 1, 1, scale=0.8), made(8, scale=0.3)], ONE),
    "b": ("Relu", ["b_"], {}),
    "c": ("Conv", ["x", made(8, 3, 1, 1, scale=0.1), made(8, scale=0.3)], ONE),
    "conv": ("Conv", ["a", made(16, 8, 3, 3, scale=0.2), made(16)], {**BORDER, "strides": [2, 2]}),
    "steep": ("Conv", ["c", made(4, 8, 1, 1, scale=40.0), made(4, scale=3e6)], ONE),
    "depthwise": ("Conv", ["b", made(8, 1, 3, 3), made(8)], {**BORDER, "group": 8}),
    "deconv": (
        "ConvTranspose",
        ["a", made(8, 6, 4, 4, scale=0.2), made(6)],
        {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    "average": ("AveragePool", ["a"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average_inside": ("AveragePool", ["a"], {**BORDER, "count_include_pad": 0}),
    "global": ("GlobalAveragePool", ["a"], {}),
    "maximum": ("MaxPool", ["a"], BORDER),
    "sum": ("Add", ["a", "b"], {}),
    "sum_relu_": ("Add", ["a", "c"], {}),
    "sum_relu": ("Relu", ["sum_relu_"], {}),
    "sum_repeated": ("Add", ["a", "global"], {}),
    "sum_number": ("Add", ["a", number(0.7)], {}),
    "difference": ("Sub", ["a", "b"], {}),
    "difference_right": ("Sub", ["a", "global"], {}),
    "difference_left": ("Sub", ["global", "a"], {}),
    "difference_from": ("Sub", [number(0.9), "a"], {}),
    "product": ("Mul", ["a", "b"], {}),
    "square": ("Mul", ["a", "a"], {}),
    "product_number": ("Mul", ["a", number(-1.7)], {}),
    "product_constant": ("Mul", ["a", made(1, 8, 16, 16)], {}),
    "joined": ("Concat", ["a", "b", "c"], {"axis": 1}),
    "leaky_": ("Conv", ["a", made(8, 8, 1, 1, scale=0.5), made(8, mean=-4.0)], ONE),
    "leaky": ("LeakyRelu", ["leaky_"], {"alpha": 0.3}),
    "prelu_": ("Conv", ["a", made(8, 8, 1, 1, scale=0.5), made(8, mean=-4.0)], ONE),
    "prelu": ("PRelu", ["prelu_", made(8, 1, 1, scale=0.3)], {}),
    "rows": ("MatMul", ["a", made(16, 24, scale=0.3)], {}),
    "flat": ("Flatten", ["global"], {"axis": 1}),
    "fc": ("Gemm", ["flat", made(10, 8), made(10)], {"transB": 1}),
    "turned": ("Transpose", ["b"], {"perm": [0, 1, 3, 2]}),
    "matrices": ("MatMul", ["a", "turned"], {}),
    "padded": ("Pad", ["a", PADS, number(0.6)], {"mode": "constant"}),
    "larger": (
        "Resize",
        ["a", "", "", np.array([1, 8, 32, 32])],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
         "nearest_mode": "floor"},
    ),
    "mean": ("ReduceMean", ["a"], {"axes": [1], "keepdims": 1}),
    "most": ("ReduceMax", ["a"], {"axes": [3], "keepdims": 0}),
    "total": ("ReduceSum", ["a", np.array([3])], {"keepdims": 1}),
    "limited": ("Clip", ["a", number(-0.5), number(1.2)], {}),
    "sigmoid": ("Sigmoid", ["a"], {}),
    "tanh": ("Tanh", ["a"], {}),
    "exp": ("Exp", ["a"], {}),
    "elu": ("Elu", ["a"], {"alpha": 1.0}),
    "softplus": ("Softplus", ["a"], {}),
    "hard_sigmoid": ("HardSigmoid", ["a"], {"alpha": 1 / 6, "beta": 0.5}),
    "hard_swish": ("HardSwish", ["a"], {}),
    "softmax": ("Softmax", ["a"], {"axis": -1}),
    "softmax_channels": ("Softmax", ["a"], {"axis": 1}),
    "norm": ("LayerNormalization", ["a", made(16), made(16)], {"axis": -1}),
    "logarithm": ("Log", ["sigmoid"], {}),
    "root": ("Sqrt", ["sigmoid"], {}),
    "reciprocal": ("Reciprocal", ["sigmoid"], {}),
    "power": ("Pow", ["sigmoid", number(1.5)], {}),
    "quotient": ("Div", ["a", "sigmoid"], {}),
}  # fmt: skip


def resized(
    rows: int, columns: int, mode: str, positions: str, source: str = "a"
) -> tuple[str, list, dict]:
    """Resize to a number of rows and columns."""
    attributes = {"mode": mode, "coordinate_transformation_mode": positions}
    if mode == "nearest":
        rounding = "floor" if positions == "asymmetric" else "round_prefer_floor"
        attributes["nearest_mode"] = rounding
    return "Resize", [source, "", "", np.array([1, 8, rows, columns])], attributes


RESIZING = {
    **{name: OPS[name] for name in ("a", "b_", "b", "c")},  # TPU-MLIR enlarges each only once
    "twice": resized(32, 32, "linear", "half_pixel"),
    "torch_twice": resized(32, 32, "linear", "pytorch_half_pixel", "b"),
    "uneven": resized(48, 80, "linear", "half_pixel", "c"),
    "one_axis": resized(16, 32, "linear", "half_pixel"),
    "half": resized(8, 8, "linear", "half_pixel"),
    "from_corner": resized(32, 32, "linear", "asymmetric"),
    "corners": resized(31, 31, "linear", "align_corners"),
    "near": resized(24, 20, "nearest", "asymmetric"),
    "near_half": resized(8, 8, "nearest", "asymmetric"),
    "near_middle": resized(24, 20, "nearest", "half_pixel"),
    "near_middle_half": resized(8, 8, "nearest", "half_pixel"),
}


def network(ops: dict[str, tuple[str, list[str | np.ndarray], dict]]) -> onnx.ModelProto:
    """All ops; what none of them reads is an output."""
    nodes: list[NodeProto] = []
    constants = []
    for name, (op, operands, attributes) in ops.items():
        names = []
        for index, operand in enumerate(operands):
            if isinstance(operand, str):
                names.append(operand)
                continue
            names.append(f"{name}_{index}")
            constants.append(numpy_helper.from_array(operand, names[-1]))
        nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
    read = {name for node in nodes for name in node.input}
    outputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ops if n not in read
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
    graph = helper.make_graph(nodes, "ops", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return onnx.shape_inference.infer_shapes(model)


def run(work: Path, tool: str, *options: str) -> None:
    """A program of TPU-MLIR."""
    path = str(Path(sys.executable).parent / tool)
    done = subprocess.run([path, *options], cwd=work, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{tool} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def build(work: Path, name: str, ops: dict) -> None:
    """Graph, table and digests of one network."""
    onnx.save(network(ops), str(work / f"{name}.onnx"))
    shape = str([list(SHAPE)]).replace(" ", "")
    run(work, "model_transform", "--model_name", name, "--model_def", f"{name}.onnx",
        "--input_shapes", shape, "--mlir", f"{name}.mlir")  # fmt: skip
    run(work, "run_calibration", f"{name}.mlir", "--dataset", "samples", "--input_num", "3",
        "--tune_num", "0", "-o", f"{name}_table")  # fmt: skip
    for file in (f"{name}.mlir", f"{name}_table"):
        shutil.copy(work / file, OUT)
    weights = f"{name}_top_f32_all_weight.npz"
    np.savez_compressed(OUT / weights, **np.load(work / weights))
    for mode, suffix in (("INT8", "int8_sym"), ("BF16", "bf16")):
        run(work, "model_deploy", "--mlir", f"{name}.mlir", "--quantize", mode, "--processor",
            "cv183x", "--calibration_table", f"{name}_table", "--model", "x.bmodel", "--debug",
            "--not_gen_bmodel")  # fmt: skip
        run(work, "model_runner", "--input", "samples/0.npz", "--model",
            f"{name}_cv183x_{suffix}_tpu.mlir", "--dump_all_tensors",
            "--output", "out.npz")  # fmt: skip
        found = np.load(work / "out.npz")
        digests = {key: digest(found[key]) for key in found.files}
        text = json.dumps(digests, indent=0, sort_keys=True)
        (OUT / f"{name}_{mode}.json").write_text(text + "\n")
        print(name, mode, len(digests), "tensors", flush=True)


def main(work: Path) -> None:
    (work / "samples").mkdir(parents=True, exist_ok=True)
    for index in range(3):
        np.savez(work / "samples" / f"{index}.npz", x=made_input(index, SHAPE) * 4 - 2)
    OUT.mkdir(exist_ok=True)
    for name, ops in (("ops", OPS), ("resizing", RESIZING)):
        build(work, name, ops)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
