"""Norms, comparisons, indexing and sampling become TPU-MLIR's ops and compute as onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph, Node, with_defaults
from tpuc.ir.text_parse import parse_mlir
from tpuc.passes import canonicalize

FOLDER = Path(__file__).parents[1] / "golden" / "selection"
NAMES = sorted(p.stem for p in FOLDER.glob("*.onnx"))


def _ours(name: str) -> Graph:
    graph = read_onnx(FOLDER / f"{name}.onnx")
    canonicalize(graph)
    return graph


def _theirs(name: str) -> Graph:
    text = (FOLDER / f"{name}.mlir").read_text()
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    found = re.findall(r'"top\.Weight"\(\) : \(\) -> tensor<(.*)xf32> loc\((#loc\d+)\)', text)
    sizes = {names[loc]: np.zeros([int(d) for d in dims.split("x")]) for dims, loc in found}
    return parse_mlir(text, sizes)


def _line(node: Node) -> dict[str, object]:
    operands = [None if v is None else v.size if v.is_weight else v.name for v in node.inputs]
    while operands and operands[-1] is None:
        operands.pop()
    return {
        "op": node.op,
        "outputs": [v.name for v in node.outputs],
        "attrs": {} if node.op == "Input" else with_defaults(node.op, node.attrs),
        "shapes": [v.shape for v in node.outputs],
        "operands": operands,
    }


@pytest.mark.parametrize("name", NAMES)
def test_ops_names_attributes_and_order_are_tpu_mlirs(name):
    ours, theirs = _ours(name), _theirs(name)
    assert [_line(n) for n in ours] == [_line(n) for n in theirs]
    assert [v.name for v in ours.outputs] == [v.name for v in theirs.outputs]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_results_are_onnxruntimes(name):
    import onnxruntime

    path = str(FOLDER / f"{name}.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {
        i.name: rng.integers(0, 20, i.shape)
        if "int" in i.type
        else rng.uniform(-1, 1, i.shape).astype(np.float32)
        for i in session.get_inputs()
    }
    graph = _ours(name)
    got = run(graph, feeds)
    for value, wanted in zip(graph.outputs, session.run(None, feeds)):
        array = got[value.name].reshape(wanted.shape)
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=2e-6, err_msg=value.name)
