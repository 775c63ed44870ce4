"""Small ONNX models in a line or two, and their results by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

__all__ = ["NEWEST", "X", "build", "constants", "expected", "save", "weights"]

NEWEST = min(onnx.defs.onnx_opset_version(), 25)  # the newest that onnxruntime guarantees
X = (1, 4, 8, 8)


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal float32 numbers."""
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def constants(**arrays: Any) -> dict[str, np.ndarray]:
    """Lists of whole numbers as int64, other numbers as float32."""
    made = {k: np.asarray(v) for k, v in arrays.items()}
    return {k: v.astype(np.int64 if v.dtype.kind == "i" else np.float32) for k, v in made.items()}


def build(
    body: str,
    data: dict[str, np.ndarray] | None = None,
    opset: int = 17,
    shape: tuple[int | str, ...] = X,
    outputs: str = "y",
) -> onnx.ModelProto:
    """A model of input `x`; `body` is in ONNX's text form and makes the outputs."""
    dims = ",".join(map(str, shape))
    declared = ", ".join(f"float {o}" for o in outputs.split())
    graph = onnx.parser.parse_graph(f"g (float[{dims}] x) => ({declared}) {{ {body} }}")
    integer = {n.output[0] for n in graph.node if n.op_type in ("ArgMax", "ArgMin")}
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
        if output.name in integer:
            output.type.tensor_type.elem_type = onnx.TensorProto.INT64
    for name, array in (data or {}).items():
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8
    )


def save(model: onnx.ModelProto, folder: Path, name: str = "model") -> Path:
    """Write it into a folder."""
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))
    return path


def expected(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Outputs for `x` by onnxruntime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return [np.asarray(r, np.float32) for r in session.run(None, {"x": x})]
