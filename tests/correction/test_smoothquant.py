"""SmoothQuant: the float network stays, outliers of activations go."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import transformers
from tpuc.correction.smoothquant import smooth_activations
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph, Value
from tpuc.lowering import float_twin
from tpuc.passes import canonicalize
from tpuc.simulator import FloatEngine


def network(name: str, folder) -> Graph:
    graph = read_onnx(transformers.onnx_file(name, folder))
    canonicalize(graph)
    return graph


def engine(graph: Graph):
    return FloatEngine(float_twin(graph), 1)


def tensors_of(graph: Graph, name: str, count: int = 4):
    runner = engine(graph)

    def tensors(names):
        for index in range(count):
            yield runner.run(transformers.sample(name, index), list(names))

    return tensors


def with_outliers(graph: Graph) -> Graph:
    """Some channels of every normalization a hundred times larger, undone by what reads them."""
    for node in graph.nodes:
        if node.op == "LayerNorm" and all(u.op == "MatMul" for u in node.output.users):
            strong = np.ones(node.output.shape[-1], np.float32)
            strong[:3] = 100.0
            gamma = Value(f"{node.name}_g", strong.shape, node.output.dtype, None, strong)
            graph.set_input(node, 1, gamma)
            for user in node.output.users:
                user.inputs[1].data = user.inputs[1].data / strong[:, None]
    return graph


@pytest.mark.parametrize("name", ["bert", "vit", "swin"])
def test_float_outputs_stay(name, tmp_path):
    graph = network(name, tmp_path)
    made = smooth_activations(graph, tensors_of(graph, name))
    assert any("products" in note.what for note in made.notes)
    before, after = (engine(g) for g in (graph, made.graph))
    outputs = [v.name for v in graph.outputs]
    for index in (0, 7):
        feeds = transformers.sample(name, index)
        one, other = before.run(feeds, outputs), after.run(feeds, outputs)
        for key in outputs:
            limit = 1e-4 * np.abs(one[key]).max()
            np.testing.assert_allclose(other[key], one[key], rtol=1e-3, atol=limit)


def test_outliers_go(tmp_path):
    graph = with_outliers(network("vit", tmp_path))
    made = smooth_activations(graph, tensors_of(graph, "vit")).graph
    names = [n.name for n in graph.nodes
             if n.op == "LayerNorm" and all(u.op == "MatMul" for u in n.output.users)]  # fmt: skip
    assert names
    for name in names:
        spreads = []
        for g in (graph, made):
            tops = [np.abs(b[name]).reshape(-1, b[name].shape[-1]).max(axis=0)
                    for b in tensors_of(g, "vit")([name])]  # fmt: skip
            spreads.append(np.max(tops) / np.median(tops))
        assert spreads[1] < spreads[0] / 10


def test_bert_gets_factors_of_their_own(tmp_path):
    graph = network("bert", tmp_path)
    made = smooth_activations(graph, tensors_of(graph, "bert"))
    added = {n.name for n in made.graph.nodes} - {n.name for n in graph.nodes}
    told = {f"{n.name}_smooth" for n in made.notes if "factor of its own" in n.what}
    assert added == told and added


def test_values_and_the_output_projection_are_a_place(tmp_path):
    graph = network("bert", tmp_path)
    made = smooth_activations(graph, tensors_of(graph, "bert"))
    kinds = {n.name: n.op for n in graph.nodes}
    assert "MatMul" in {kinds[note.name] for note in made.notes}
