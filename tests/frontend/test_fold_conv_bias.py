"""A constant added to the channels behind a convolution becomes its bias."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.execute import run
from tpuc.frontend.fold_conv_bias import fold_conv_bias
from tpuc.ir import Graph, Value, verify, with_defaults


def _graph(addend: tuple[int, ...], biased: bool = False, rest: bool = True) -> Graph:
    """Conv, Add of a constant, and (`rest`) Abs."""
    rng = np.random.default_rng(1)
    graph = Graph("net")

    def given(name: str, *shape: int) -> Value:
        data = rng.standard_normal(shape).astype(np.float32)
        return Value(name, shape, data=data)

    x, c, a, out = (Value(n, (1, 4, 5, 5)) for n in ("x", "c_Conv", "a_Add", "o"))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    window = {"kernel_shape": (1, 1), "strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1)}
    bias = given("b", 4) if biased else None
    graph.add("Conv", [x, given("w", 4, 4, 1, 1), bias], [c], with_defaults("Conv", window))
    graph.add("Add", [c, given("v", *addend)], [a], with_defaults("Add", {}))
    if rest:
        graph.add("Abs", [a], [out], {})
    graph.outputs = [out if rest else a]
    return graph


def _fold(graph: Graph) -> int:
    feeds = {"x": np.random.default_rng(2).standard_normal((1, 4, 5, 5)).astype(np.float32)}
    before = run(graph, feeds)[graph.outputs[0].name]
    count = fold_conv_bias(graph)
    verify(graph, "top")
    np.testing.assert_allclose(run(graph, feeds)[graph.outputs[0].name], before, atol=1e-5)
    return count


@pytest.mark.parametrize("addend", [(4, 1, 1), (1, 4, 1, 1), (1,), ()])
def test_the_convolution_keeps_its_name(addend):
    graph = _graph(addend)
    assert _fold(graph) == 1
    assert [n.name for n in graph.nodes] == ["x", "c_Conv", "o"]
    assert graph.nodes[1].weight(2).shape == (4,)


def test_an_output_of_the_model_gives_its_name():
    graph = _graph((4, 1, 1), rest=False)
    assert _fold(graph) == 1
    assert [n.name for n in graph.nodes] == ["x", "a_Conv"]


@pytest.mark.parametrize("addend", [(5,), (1, 1, 5, 1), (1, 4, 5, 5)])
def test_other_shapes_stay(addend):
    assert _fold(_graph(addend)) == 0


def test_a_convolution_with_bias_keeps_the_sum():
    assert _fold(_graph((4, 1, 1), biased=True)) == 0


def test_a_convolution_with_other_users_keeps_the_sum():
    graph = _graph((4, 1, 1))
    graph.outputs.append(graph.find("c_Conv"))
    assert _fold(graph) == 0
