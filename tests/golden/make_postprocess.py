"""Regenerates `postprocess/boxes.npz`: what TPU-MLIR's YoloDetection makes of drawn outputs.

    TPUC_VENDOR=<virtual environment> python tests/golden/make_postprocess.py

Each network adds the mean of an all-zero picture to its other inputs, so its outputs are those.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.golden.postprocess_cases import CASES, SIDE, heads

TARGET = Path(__file__).resolve().parent / "postprocess" / "boxes.npz"


def network(path: Path, arrays: list[np.ndarray]) -> None:
    """Pictures and arrays in, arrays out."""
    shapes = {"images": [1, 3, SIDE, SIDE]} | {f"x{i}": list(a.shape) for i, a in enumerate(arrays)}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0)]
    outputs = []
    for i, array in enumerate(arrays):
        nodes.append(helper.make_node("Add", [f"x{i}", "mean"], [f"y{i}"]))
        outputs.append(helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, array.shape))
    graph = helper.make_graph(nodes, "net", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))


def boxes(name: str, folder: Path) -> np.ndarray:
    """(200, 7) of TPU-MLIR."""
    arrays = heads(name)
    network(folder / "net.onnx", arrays)
    zeros = np.zeros((1, 3, SIDE, SIDE), np.float32)
    np.savez(folder / "in.npz", images=zeros, **{f"x{i}": a for i, a in enumerate(arrays)})
    shapes = ",".join(str(list(a.shape)) for a in (zeros, *arrays))
    programs = Path(os.environ["TPUC_VENDOR"]) / "bin"
    command = [
        str(programs / "model_transform"), "--model_name", "net",
        "--model_def", "net.onnx", "--input_shapes", f"[{shapes}]",
        "--test_input", "in.npz", "--test_result", "top.npz", "--mlir", "net.mlir",
        "--add_postprocess", name.split("_")[0],
    ]  # fmt: skip
    path = f"{programs}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
    with np.load(folder / "top.npz") as found:
        return found["yolo_post"].reshape(-1, 7)


def main() -> None:
    found = {}
    for name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = boxes(name, Path(folder))
        print(name, int((found[name][:, 2] > 0).sum()), "boxes")
    np.savez_compressed(TARGET, **found)


if __name__ == "__main__":
    main()
