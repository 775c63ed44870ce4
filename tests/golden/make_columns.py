"""Regenerates `weight_only/columns.json`: products whose outputs do not fill the lanes.

    TPUC_VENDOR=<its virtual environment> .venv/bin/python -m tests.golden.make_columns WORK_FOLDER

For each type and processor, the first 16 hex digits of sha256 of every tensor (float32, little
endian) of `network()`, whose weights and input are made from their names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tests.golden.float8_cases import digest
from tests.golden.float_cases import made
from tests.golden.make_float8 import run, write
from tpuc.ir import Graph, Value, with_defaults

HERE = Path(__file__).resolve().parent
BUILDS = [("W4F16", "bm1684x"), ("W8F16", "bm1684x"), ("W4BF16", "bm1688")]
PRODUCTS = {16: (False, False), 64: (False, True), 100: (False, True), 200: (True, True)}
"""Outputs: fused relu, bias."""


def network() -> Graph:
    """Products of one input with matrices of 16, 64, 100 and 200 columns."""
    graph, x = Graph("columns", "top"), Value("x", (2, 5, 128))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    for count, (relu, biased) in PRODUCTS.items():
        weight = Value(f"w{count}", (128, count), data=made(f"w{count}", (128, count)))
        bias = Value(f"b{count}", (count,), data=made(f"b{count}", (count,))) if biased else None
        out = Value(f"y{count}", (2, 5, count))
        attrs = with_defaults("MatMul", {"do_relu": relu})
        graph.add("MatMul", [x, weight, bias], [out], attrs)
        graph.outputs.append(out)
    return graph


def main(work: Path) -> None:
    write(network(), work)
    np.savez(work / "sample.npz", x=made("x", (2, 5, 128)))
    found = {}
    for mode, chip in BUILDS:
        target = f"chip={chip} mode={mode} num_device=1 num_core=1 addr_mode=auto"
        types = f"weightFileName=w_{mode}.npz asymmetric=False q_group_size=64 q_symmetric=False"
        run(work, "tpuc-opt", "top.mlir", f"--processor-assign={target} high_precision=False",
            "--processor-top-optimize", f"--convert-top-to-tpu={types}", "--canonicalize",
            "--weight-fold", "-o", f"{mode}.mlir")  # fmt: skip
        run(work, "model_runner", "--input", "sample.npz", "--model", f"{mode}.mlir",
            "--dump_all_tensors", "--output", f"{mode}.npz")  # fmt: skip
        held = np.load(work / f"{mode}.npz")
        found[f"{mode} {chip}"] = {key: digest(held[key]) for key in held.files}
    text = json.dumps(found, indent=0, sort_keys=True) + "\n"
    (HERE / "weight_only" / "columns.json").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
