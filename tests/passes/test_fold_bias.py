"""MatMul takes the vector added behind it."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fold_bias


def _run(graph):
    before = graph.clone()
    result = fold_bias.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


@pytest.mark.parametrize(
    ("platform", "shape", "name"),
    [("ONNX", (2, 5), "t_Gemm"), ("TORCH", (2, 5), "t_Add"), ("ONNX", (1, 4, 5), "t_Add")],
)
def test_the_sum_names_the_matrix_product(platform, shape, name):
    net = Net(*shape, platform=platform)
    m = net.op("MatMul", "m_MatMul", net.x, net.weight("w", 5, 3), None)
    graph = net.done(net.op("Add", "t_Add", m, net.weight("v", 3), do_relu=True, relu_limit=6.0))
    assert _run(graph).count == 1
    assert ops(graph) == [f"MatMul+relu6.0 {name}"]


@pytest.mark.parametrize(
    ("addend", "reason"),
    [((1,), "shape (1,)"), ((4, 1), "shape (4, 1)"), ((4, 3), "shape (4, 3)")],
)
def test_other_shapes_stay(addend, reason):
    net = Net(4, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 3), None)
    result = _run(net.done(net.op("Add", "a", m, net.weight("v", *addend))))
    assert result.count == 0
    assert reason in reasons(result.skips)


def test_a_computed_addend_stays():
    net = Net(4, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 5), None)
    result = _run(net.done(net.op("Add", "a", m, net.x)))
    assert result.count == 0
    assert "the addend is computed" in reasons(result.skips)


def test_a_product_with_bias_stays():
    net = Net(4, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 3), net.weight("b", 3))
    result = _run(net.done(net.op("Add", "a", m, net.weight("v", 3))))
    assert "it has a bias or a Relu" in reasons(result.skips)


def test_a_product_with_other_users_stays():
    net = Net(4, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 3), None)
    result = _run(net.done(m, net.op("Add", "a", m, net.weight("v", 3))))
    assert "it has other users" in reasons(result.skips)
