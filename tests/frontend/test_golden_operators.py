"""Two files that hold one op of each kind become the graph that TPU-MLIR makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.frontend.onnx_models import expected, weights
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph, Node, with_defaults
from tpuc.ir.text import print_mlir
from tpuc.ir.text_parse import load_mlir
from tpuc.passes import canonicalize

FOLDER = Path(__file__).parents[1] / "golden" / "operators"
NAMES = ["common", "rare"]
# What TPU-MLIR stores for reference only; nobody reads it
NOT_COMPARED = {"Input"}


def _ours(name: str) -> Graph:
    graph = read_onnx(FOLDER / f"{name}.onnx")
    canonicalize(graph)
    return graph


def _line(node: Node) -> dict[str, object]:
    return {
        "op": node.op,
        "name": node.name,
        "attrs": {} if node.op in NOT_COMPARED else with_defaults(node.op, node.attrs),
        "shapes": [v.shape for v in node.outputs],
        "outputs": [v.name for v in node.outputs],
        "inputs": [v.name for v in node.activations],
    }


@pytest.mark.parametrize("name", NAMES)
def test_ops_names_attributes_and_order_are_tpu_mlirs(name):
    ours, theirs = _ours(name), load_mlir(FOLDER / f"{name}.mlir")
    assert [n.name for n in ours] == [n.name for n in theirs]
    for mine, other in zip(ours, theirs):
        assert _line(mine) == _line(other)
    assert [v.name for v in ours.outputs] == [v.name for v in theirs.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_tpu_mlirs(name):
    ours, theirs = _ours(name), load_mlir(FOLDER / f"{name}.mlir")
    for mine, other in zip(ours, theirs):
        operands = [v.data for v in mine.inputs if v is not None and v.is_weight]
        wanted = [v.data for v in other.inputs if v is not None and v.is_weight]
        assert len(operands) == len(wanted), mine.name
        for got, array in zip(operands, wanted):
            np.testing.assert_allclose(got, array, rtol=1e-6, atol=1e-7, err_msg=mine.name)


def test_filters_of_a_grouped_deconv_are_declared_as_tpu_mlir_does():
    graph = _ours("rare")
    (deconv,) = [n for n in graph if n.op == "Deconv"]
    assert deconv.weight(1).shape == (8, 2, 4, 4)
    text, theirs = print_mlir(graph, "w.npz"), (FOLDER / "rare.mlir").read_text()
    assert "tensor<2x8x4x4xf32>" in text and "tensor<2x8x4x4xf32>" in theirs
    assert "8x2x4x4" not in text


@pytest.mark.parametrize("name", NAMES)
def test_results_are_onnxruntimes(name):
    import onnx

    model = onnx.load(str(FOLDER / f"{name}.onnx"))
    x = weights(1, 3, 16, 16)
    graph = _ours(name)
    got = run(graph, {"x": x})
    for value, wanted in zip(graph.outputs, expected(model, x)):
        array = got[value.name].reshape(wanted.shape)
        np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-4, err_msg=value.name)
