"""Regenerates `float_order/`: what TPU-MLIR's simulator computes for the cases of `float_cases`.

    TPUC_VENDOR/bin/python tests/golden/make_float_order.py WORK_FOLDER

One network holds all cases side by side; it is built as F32, so that every bit of the sums is seen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.golden.float_cases import (  # noqa: E402
    CONVS,
    DECONVS,
    MATMULS,
    ConvCase,
    MatMulCase,
    made,
)

OUT = Path(__file__).resolve().parent / "float_order" / "sums.npz"


def _conv(name: str, case: ConvCase) -> tuple[onnx.NodeProto, list[str], dict[str, np.ndarray]]:
    bias = made(f"{name}_b", case.weight[:1])
    constants = {f"{name}_w": made(f"{name}_w", case.weight), f"{name}_b": bias}
    names = [f"{name}_x", f"{name}_w", f"{name}_b"]
    strides, pads, dilations = case.window
    if name in DECONVS:
        constants[names[1]] = constants[names[1]].swapaxes(0, 1).copy()
    kind = "ConvTranspose" if name in DECONVS else "Conv"
    where = {"kernel_shape": case.weight[2:], "strides": strides, "pads": pads}
    node = helper.make_node(kind, names, [name], **where, dilations=dilations, group=case.group)
    return node, names[:1], constants


def _matmul(name: str, case: MatMulCase) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    if not case.constant:
        return [helper.make_node("MatMul", [f"{name}_x", f"{name}_y"], [name])], {}
    product = helper.make_node("MatMul", [f"{name}_x", f"{name}_w"], [f"{name}_p"])
    addition = helper.make_node("Add", [f"{name}_p", f"{name}_b"], [name])
    constants = {f"{name}_w": made(f"{name}_w", case.right)}
    return [product, addition], constants | {f"{name}_b": made(f"{name}_b", case.right[-1:])}


def _network() -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {}
    feeds: dict[str, np.ndarray] = {}
    for name, conv in (CONVS | DECONVS).items():
        node, (source,), held = _conv(name, conv)
        nodes.append(node)
        constants |= held
        feeds[source] = made(source, conv.x)
    for name, case in MATMULS.items():
        added, held = _matmul(name, case)
        nodes += added
        constants |= held
        feeds[f"{name}_x"] = made(f"{name}_x", case.left)
        if not case.constant:
            feeds[f"{name}_y"] = made(f"{name}_y", case.right)
    inputs = [
        helper.make_tensor_value_info(k, TensorProto.FLOAT, v.shape) for k, v in feeds.items()
    ]
    outputs = [
        helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in CONVS | DECONVS | MATMULS
    ]
    held = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "sums", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model, feeds


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    model, feeds = _network()
    onnx.save(model, work / "sums.onnx")
    np.savez(work / "in.npz", **feeds)
    shapes = "[" + ",".join(str(list(v.shape)).replace(" ", "") for v in feeds.values()) + "]"
    tools = Path(sys.executable).parent
    transform = "model_transform --model_name sums --model_def sums.onnx --mlir sums.mlir"
    deploy = "model_deploy --mlir sums.mlir --quantize F32 --chip bm1684x --not_gen_bmodel"
    run = "model_runner --model sums_bm1684x_f32_tpu.mlir --input in.npz --output out.npz"
    commands = [
        [*transform.split(), "--input_shapes", shapes],
        [*deploy.split(), "--model", "sums.bmodel"],
        [*run.split(), "--dump_all_tensors"],
    ]
    for command in commands:
        subprocess.run([str(tools / command[0]), *command[1:]], cwd=work, check=True)
    found = np.load(work / "out.npz")
    kept = {}
    for name in CONVS | DECONVS | MATMULS:
        made_by = [f"{name}_{kind}" for kind in ("Conv", "ConvTranspose", "Add", "Gemm", "MatMul")]
        data = next(found[key] for key in made_by if key in found.files)
        kept[name] = data[:, :: CONVS[name].step] if name in CONVS else data
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
