"""Regenerates `rotary/`: a Top graph of two Ropes, pairs and halves, and TPU-MLIR's tensors of it.

    TPUC_VENDOR/bin/python tests/golden/make_rotary.py WORK_FOLDER

`model_transform` makes Ropes of pairs only; that of halves is one of them with another mode.
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

OUT = Path(__file__).resolve().parent / "rotary"
SHAPE = (1, 3, 5, 8)
END = np.iinfo(np.int64).max


def _embedding(name: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Pairs of `x`, turned by angles of their own."""
    held = {
        f"{name}_cos": made(f"{name}_cos", SHAPE[2:]),
        f"{name}_sin": made(f"{name}_sin", SHAPE[2:]),
        "step": np.array([2], np.int64), "end": np.array([END], np.int64),
        "last": np.array([3], np.int64), "new": np.array([4], np.int64),
        "0": np.array([0], np.int64), "1": np.array([1], np.int64),
        "shape": np.array(SHAPE, np.int64),
    }  # fmt: skip
    nodes = []

    def node(kind: str, operands: list[str], result: str, **attrs: object) -> str:
        nodes.append(helper.make_node(kind, operands, [f"{name}{result}"], **attrs))
        return f"{name}{result}"

    odd = node("Neg", [node("Slice", ["x", "1", "end", "last", "step"], "_odd")], "_minus")
    even = node("Slice", ["x", "0", "end", "last", "step"], "_even")
    pairs = [node("Unsqueeze", [v, "new"], f"_u{i}") for i, v in enumerate((odd, even))]
    turned = node("Reshape", [node("Concat", pairs, "_pairs", axis=4), "shape"], "_turned")
    terms = [node("Mul", ["x", f"{name}_cos"], "_a"), node("Mul", [turned, f"{name}_sin"], "_b")]
    node("Add", terms, "")
    return nodes, held


def _network() -> onnx.ModelProto:
    nodes, held = [], {}
    for name in ("pairs", "halves"):
        more, constants = _embedding(name)
        nodes, held = nodes + more, held | constants
    graph = helper.make_graph(
        nodes, "rotary", [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, SHAPE) for n in ("pairs", "halves")],
        [numpy_helper.from_array(v, k) for k, v in held.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def _run(work: Path, command: str) -> None:
    words = command.split()
    subprocess.run([str(Path(sys.executable).parent / words[0]), *words[1:]], cwd=work, check=True)


def main(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(exist_ok=True)
    onnx.save(_network(), work / "rotary.onnx")
    np.savez(work / "in.npz", x=made("x", SHAPE))
    shape = str(list(SHAPE)).replace(" ", "")
    _run(
        work,
        "model_transform --model_name rotary --model_def rotary.onnx --mlir rotary.mlir "
        f"--input_shapes [{shape}]",
    )
    text = (work / "rotary.mlir").read_text()
    at = text.rindex('"interleaved_pairs"')
    text = text[:at] + text[at:].replace("interleaved_pairs", "contiguous_halves", 1)
    (work / "rotary.mlir").write_text(text)
    for mode in ("F32", "F16", "BF16"):
        _run(
            work,
            f"model_deploy --mlir rotary.mlir --quantize {mode} --chip bm1684x --not_gen_bmodel "
            f"--model {mode}.bmodel",
        )
        _run(
            work,
            f"model_runner --model rotary_bm1684x_{mode.lower()}_tpu.mlir --input in.npz "
            f"--output {mode}.npz --dump_all_tensors",
        )
        found = np.load(work / f"{mode}.npz")
        kept = {name: found[name] for name in ("pairs_Add", "halves_Add")}
        np.savez_compressed(OUT / f"{mode}.npz", **kept)
    for file in ("rotary.mlir", "rotary_top_f32_all_weight.npz"):
        shutil.copy(work / file, OUT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
