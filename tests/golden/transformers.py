"""Small transformers and detectors as the tests see them, and what TPU-MLIR gives for them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from tests.golden.weights import make_weight

__all__ = [
    "FOLDER",
    "MIXED",
    "NAMES",
    "digests",
    "inputs",
    "inside_tables",
    "is_made",
    "onnx_file",
    "qtable",
    "sample",
    "types",
    "wide_table",
]

FOLDER = Path(__file__).resolve().parent / "transformers"
NAMES = sorted(p.stem for p in FOLDER.glob("*.onnx"))
_WORDS, _TOKENS = 64, 16
MIXED = ("bert", "deit", "swin")
"""Those with a build in which a table makes a quarter of the ops F16."""


def is_made(name: str, shape: tuple[int, ...], is_float: bool) -> bool:
    """Whether an initializer's numbers are made from its name; anchors and the like are kept."""
    return is_float and int(np.prod(shape)) > 64 and not name.startswith("head.")


def made(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of one initializer; products (K, N) keep the variance of what they multiply."""
    data = make_weight(name, shape)
    if "MatMul" in name:
        data = data * np.float32(0.7 * (shape[1] / shape[0]) ** 0.5)
    return data


def fill(model: onnx.ModelProto) -> None:
    """Give every initializer without contents its numbers, in place."""
    for tensor in model.graph.initializer:
        if is_made(tensor.name, tuple(tensor.dims), tensor.data_type == onnx.TensorProto.FLOAT):
            tensor.ClearField("float_data")
            tensor.raw_data = made(tensor.name, tuple(tensor.dims)).tobytes()


def onnx_file(name: str, folder: Path) -> Path:
    """The network with its weights, written into `folder`."""
    model = onnx.load(str(FOLDER / f"{name}.onnx"))
    fill(model)
    path = folder / f"{name}.onnx"
    onnx.save(model, str(path))
    return path


def inputs(name: str) -> dict[str, tuple[int, ...]]:
    """Shapes by input."""
    if name == "bert":
        words = ("input_ids", "attention_mask", "token_type_ids")
        return dict.fromkeys(words, (1, _TOKENS))
    side = 32 if name in ("vit", "deit") else 64
    return {"x": (1, 3, side, side)}


def sample(name: str, index: int) -> dict[str, np.ndarray]:
    """Sample number `index`: float32 pictures in [-1, 1], or int64 words, some of them masked."""
    rng = np.random.default_rng(index)
    found: dict[str, np.ndarray] = {}
    for key, shape in inputs(name).items():
        if key == "input_ids":
            found[key] = rng.integers(0, _WORDS, shape)
        elif key == "attention_mask":
            found[key] = (np.arange(shape[1]) < shape[1] - 2 * (index % 7)).astype(np.int64)[None]
        elif key == "token_type_ids":
            found[key] = (np.arange(shape[1]) >= shape[1] // 2).astype(np.int64)[None]
        else:
            n = shape[-1] // 8
            coarse = rng.uniform(0, 1, (1, 3, n, n)).repeat(8, 2).repeat(8, 3)
            mixed = 0.75 * coarse + 0.25 * rng.uniform(0, 1, shape)
            found[key] = (mixed * 2 - 1).astype(np.float32)
    return found


def qtable(ops: Sequence[str]) -> str:
    """The table of the mixed build: the ops that it names, by what their names hash to."""
    return "".join(f"{op} F16\n" for op in ops if zlib.crc32(op.encode()) % 4 == 0)


def digests(name: str, mode: str) -> dict[str, str]:
    """sha256 of every tensor of sample 1 in a build, dequantized float32."""
    found: dict[str, str] = json.loads((FOLDER / f"{name}.json").read_text())[mode]
    return found


def types(name: str, mode: str) -> dict[str, list[str]]:
    """[op, type] by name in a build, or with a table of `inside_tables`."""
    path = FOLDER / (f"{name}.json" if name.endswith("_inside") else f"{name}_types.json")
    found: dict[str, list[str]] = json.loads(path.read_text())[mode]
    return found


_WIDER = {
    "/layers.0/a/MatMul_output_0_MatMul": 40,
    "/layers.0/a/Div_output_0_Div": 40,
    "/layers.1/a/MatMul_output_0_MatMul": 6,
    "/layers.1/a/Div_output_0_Div": 24,
}


def wide_table() -> str:
    """bert's table with thresholds of scores so high that powers of many rows are no normal floats.

    In layer 0 those of all rows, in layer 1 those of some.
    """
    lines = []
    for line in (FOLDER / "bert_cali_table").read_text().splitlines():
        name, *numbers = line.split()
        if name in _WIDER:
            line = " ".join([name, *(f"{float(n) * _WIDER[name]:.7f}" for n in numbers)])
        lines.append(line)
    return "\n".join(lines) + "\n"


_INSIDE = "/layers.0/a/Add_output_0_Add"
_LAST = "/layers.0/a/o/Add_output_0_Add"


def inside_tables() -> dict[str, dict[str, str]]:
    """Quantize tables of bert, {op: type}, that name ops inside an attention, or its last."""
    rows = (FOLDER / "bert_cali_table").read_text().splitlines()
    ops = [row.split()[0] for row in rows if not row.startswith("#")]
    return {
        "sum inside": {_INSIDE: "F16"},
        "softmax inside": {"/layers.0/a/Softmax_output_0_Softmax": "F32"},
        "last product": {_LAST: "F16"},
        "all but the sum": {op: "F16" for op in ops if op != _INSIDE},
        "all but the last product": {op: "F16" for op in ops if op != _LAST},
    }
