"""Activations spelled out by exporters become one op."""

from __future__ import annotations

import math

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fuse_activation


def _run(graph):
    before = graph.clone()
    result = fuse_activation.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


def _gate(net, x):
    """Relu6(x + 3)."""
    return net.op("Relu", "r", net.op("Add", "a", x, net.given("three", 3.0)), relu_limit=6.0)


def _sixth(net, name, x):
    return net.op("Mul", name, x, net.given("sixth", 1 / 6))


@pytest.mark.parametrize("swapped", [False, True])
def test_silu(swapped):
    net = Net(1, 3, 4, 4)
    pair = (net.x, net.op("Sigmoid", "s", net.x))
    graph = net.done(net.op("Mul", "m", *(pair[::-1] if swapped else pair)))
    assert _run(graph).count
    assert ops(graph) == ["SiLU m"]


def test_a_sigmoid_with_other_users_stays():
    net = Net(1, 3, 4, 4)
    s = net.op("Sigmoid", "s", net.x)
    graph = net.done(net.op("Mul", "m", net.x, s), s)
    result = _run(graph)
    assert ops(graph) == ["Sigmoid s", "Mul m"]
    assert "its Sigmoid has other users" in reasons(result.skips)


def test_a_gate_of_another_tensor_stays():
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op("Mul", "m", net.op("Tanh", "t", net.x), net.op("Sigmoid", "s", net.x)))
    assert _run(graph).count == 0


def test_hard_sigmoid_is_named_as_in_the_onnx_graph():
    net = Net(1, 3, 4, 4)
    graph = net.done(_sixth(net, "/d_Div", _gate(net, net.x)))
    assert _run(graph).count
    assert ops(graph) == ["HardSigmoid /d_HardSigmoid"]
    assert graph.nodes[1].attrs["alpha"] == 1 / 6


def test_hard_swish_by_its_formula():
    net = Net(1, 3, 4, 4)
    graph = net.done(_sixth(net, "/d_Div", net.op("Mul", "m", net.x, _gate(net, net.x))))
    assert _run(graph).count
    assert ops(graph) == ["HardSwish /d_HardSwish"]


def test_hard_swish_by_a_hard_sigmoid():
    net = Net(1, 3, 4, 4)
    gate = net.op("HardSigmoid", "h", net.x, alpha=1 / 6, beta=0.5)
    graph = net.done(net.op("Mul", "/m_Mul", gate, net.x))
    assert _run(graph).count
    assert ops(graph) == ["HardSwish /m_HardSwish"]


def test_a_hard_sigmoid_with_another_slope_is_no_hard_swish():
    net = Net(1, 3, 4, 4)
    gate = net.op("HardSigmoid", "h", net.x, alpha=0.2, beta=0.5)
    graph = net.done(net.op("Mul", "m", gate, net.x))
    assert _run(graph).count == 0


def test_torchscript_keeps_the_parts_of_hard_sigmoid():
    net = Net(1, 3, 4, 4, platform="TORCH")
    graph = net.done(_sixth(net, "d", _gate(net, net.x)))
    assert _run(graph).count == 0
    assert ops(graph) == ["Add a", "Relu r", "Mul d"]


def _erf(net, x):
    scaled = net.op("Mul", "k", x, net.given("root", 1 / math.sqrt(2)))
    return net.op("Add", "a", net.op("Erf", "e", scaled), net.given("one", 1.0))


def test_gelu_halved_last_is_named_as_in_the_onnx_graph():
    net = Net(1, 3, 4, 4)
    product = net.op("Mul", "m", net.x, _erf(net, net.x))
    graph = net.done(net.op("Mul", "/h_Mul", product, net.given("half", 0.5)))
    assert _run(graph).count
    assert ops(graph) == ["GELU /h_GELU"]


def test_gelu_halved_first_keeps_the_products_name():
    net = Net(1, 3, 4, 4)
    half = net.op("Mul", "h", net.x, net.given("half", 0.5))
    graph = net.done(net.op("Mul", "/m_Mul", half, _erf(net, net.x)))
    assert _run(graph).count
    assert ops(graph) == ["GELU /m_Mul"]


def test_another_factor_is_no_gelu():
    net = Net(1, 3, 4, 4)
    product = net.op("Mul", "m", net.x, _erf(net, net.x))
    graph = net.done(net.op("Mul", "h", product, net.given("half", 0.4)))
    assert _run(graph).count == 0
