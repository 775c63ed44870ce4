"""Arithmetic with constants takes its plainest form."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import simplify_constants


def _run(graph):
    before = graph.clone()
    result = simplify_constants.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


@pytest.mark.parametrize("kind", ["Add", "Mul", "Max", "Min"])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_one_number(kind, shape):
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op(kind, "k", net.x, net.given("c", np.full(shape, 0.3))))
    assert _run(graph).count == 1
    assert ops(graph) == [f"{kind}Const k"]
    assert graph.nodes[1].attrs["const_val"] == float(np.float32(0.3))


@pytest.mark.parametrize("kind", ["Add", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1)])
def test_one_number_per_channel_is_a_scale(kind, shape):
    net = Net(1, 3, 4, 4)
    w = net.given("w", np.array([0.5, -2.0, 3.0]).reshape(shape))
    graph = net.done(net.op(kind, "k", net.x, w, do_relu=True))
    assert _run(graph).count == 1
    assert ops(graph) == ["Scale+relu k"]


@pytest.mark.parametrize("shape", [(4,), (1, 1, 4, 4), (1, 3, 4, 4)])
def test_other_shapes_stay(shape):
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op("Mul", "k", net.x, net.weight("w", *shape)))
    assert _run(graph).count == 0
    assert ops(graph) == ["Mul k"]


def test_a_maximum_with_several_numbers_says_why_it_stays():
    net = Net(1, 3, 4, 4)
    result = _run(net.done(net.op("Max", "k", net.x, net.weight("w", 3, 1, 1))))
    assert result.count == 0
    assert "its constant has 3 numbers; expected one" in reasons(result.skips)


def test_batch_norm_is_a_scale():
    net = Net(2, 3, 4, 4)
    mean, gamma, beta = (net.weight(n, 3) for n in ("m", "g", "b"))
    variance = net.given("v", [0.5, 1.5, 0.1])
    graph = net.done(net.op("BatchNorm", "n", net.x, mean, variance, gamma, beta, epsilon=1e-3))
    assert _run(graph).count == 1
    assert ops(graph) == ["Scale n"]


@pytest.mark.parametrize(("kind", "number"), [("Add", 0.0), ("Mul", 1.0)])
def test_neutral_numbers_vanish(kind, number):
    net = Net(1, 3, 4, 4)
    k = net.op(kind, "k", net.x, net.given("c", number))
    graph = net.done(net.op("Abs", "a", k))
    _run(graph)
    assert ops(graph) == ["Abs a"]


def test_a_neutral_number_with_relu_stays():
    net = Net(1, 3, 4, 4)
    k = net.op("Add", "k", net.x, net.given("c", 0.0), do_relu=True)
    graph = net.done(net.op("Abs", "a", k))
    _run(graph)
    assert ops(graph) == ["AddConst+relu k", "Abs a"]


def test_two_factors_are_one():
    net = Net(1, 3, 4, 4)
    a = net.op("Mul", "a", net.x, net.given("c", 3.0))
    graph = net.done(net.op("Mul", "b", a, net.given("d", 2.0)))
    _run(graph)
    assert ops(graph) == ["MulConst b"]
    assert graph.nodes[1].attrs["const_val"] == 6.0
