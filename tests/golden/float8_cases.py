"""Builds of 8-bit floats held against TPU-MLIR: networks, and single ops of `operators/`."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tpuc.ir import Attr, Graph, Node, Value, with_defaults
from tpuc.ir.text_parse import load_mlir

__all__ = ["FOLDER", "MODES", "NETWORKS", "Case", "cases", "digest"]

FOLDER = Path(__file__).resolve().parent / "float8"
MODES = ("F8E4M3", "F8E5M2")
NETWORKS = ("mobilenet_v2", "resnet18")
OPS = (
    "Conv Relu Abs AddConst SubConst Scale Sub Add Mul MaxPool AvgPool Slice Permute MatMul "
    "Depth2Space Reshape Squeeze Unsqueeze Concat Upsample GELU SiLU"
).split()


@dataclass(frozen=True)
class Case:
    """One op on inputs of its own; `table` is the text of a calibration table."""

    name: str
    graph: Graph
    table: str
    feeds: dict[str, np.ndarray]


def digest(array: np.ndarray) -> str:
    """First 16 hex digits of sha256 of float32, little endian."""
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()[:16]


def cases() -> Iterator[Case]:
    """Each kind of op once."""
    seen = set()
    for source in ("common", "rare"):
        for node in load_mlir(FOLDER.parent / "operators" / f"{source}.mlir").nodes:
            weights = sum(v is not None and v.is_weight for v in node.inputs)
            kind = (node.op, weights, len(node.inputs), node.attrs.get("right_transpose"))
            if node.op in OPS and kind not in seen:
                seen.add(kind)
                yield _case(f"{source} {node.name}", node)
                if node.op == "MatMul" and weights:
                    yield _case(f"{source} {node.name} relu", node, {"do_relu": True})


def _case(name: str, node: Node, more: Mapping[str, Attr] | None = None) -> Case:
    graph, known = Graph("one", "top"), {}
    operands: list[Value | None] = []
    for index, value in enumerate(node.inputs):
        if value is None or value.is_weight:
            operands.append(value)
            continue
        if id(value) not in known:
            known[id(value)] = Value(f"x{index}", value.shape)
            graph.add("Input", [], [known[id(value)]], with_defaults("Input", {}))
        operands.append(known[id(value)])
    out = Value("y", node.output.shape)
    attrs = {**node.attrs, **(more or {})}
    if "const_val" in attrs:
        attrs["const_val"] = 0.10651629072681705  # whose sums are near halves of steps
    graph.add(node.op, operands, [out], attrs)
    graph.outputs = [out]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    feeds = {v.name: rng.standard_normal(v.shape).astype(np.float32) for v in graph.inputs}
    rows = [(v.name, 2.0 + 0.57 * i) for i, v in enumerate((*known.values(), out))]
    lines = [f"{n} {high:.7f} {-high:.7f} {high:.7f}" for n, high in rows]
    text = "\n".join(["#tpu-mlir-fp8 caliration table", *lines]) + "\n"
    return Case(name, graph, text, feeds)
