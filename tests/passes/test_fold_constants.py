"""MulConst and AddConst disappear into convolutions, matrices and Scales."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fold_constants


def _run(graph):
    before = graph.clone()
    result = fold_constants.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


def test_mul_const_scales_filter_and_bias_of_a_conv():
    net = Net(1, 3, 6, 6)
    y = net.op("MulConst", "m", net.conv("c", net.x, 4, 3), const_val=-2.5)
    graph = net.done(y)
    assert _run(graph).count == 1
    assert ops(graph) == ["Conv m"]
    assert graph.nodes[1].inputs[1].name == "c_w_mergeMulConst"


def test_a_relu_in_between_passes_a_positive_factor_and_its_limit_grows():
    net = Net(1, 3, 6, 6)
    c = net.conv("c", net.x, 4, 3, do_relu=True, relu_limit=6.0)
    graph = net.done(net.op("MulConst", "m", c, const_val=2.0))
    assert _run(graph).count == 1
    assert ops(graph) == ["Conv+relu12.0 m"]


def test_the_smaller_of_both_relu_limits_stays():
    net = Net(1, 3, 6, 6)
    c = net.conv("c", net.x, 4, 3, do_relu=True, relu_limit=6.0)
    graph = net.done(net.op("MulConst", "m", c, const_val=2.0, do_relu=True, relu_limit=1.5))
    _run(graph)
    assert ops(graph) == ["Conv+relu1.5 m"]


def test_a_negative_factor_behind_a_relu_stays():
    net = Net(1, 3, 6, 6)
    c = net.conv("c", net.x, 4, do_relu=True)
    graph = net.done(net.op("MulConst", "m", c, const_val=-1.0))
    result = _run(graph)
    assert result.count == 0
    assert ops(graph) == ["Conv+relu c", "MulConst m"]
    assert "there is a Relu before the factor -1.0" in reasons(result.skips)


def test_a_conv_with_other_users_stays():
    net = Net(1, 3, 6, 6)
    c = net.conv("c", net.x, 4)
    graph = net.done(net.op("MulConst", "m", c, const_val=2.0), net.op("Abs", "a", c))
    result = _run(graph)
    assert result.count == 0
    assert "it has other users" in reasons(result.skips)


def test_a_computed_matrix_stays():
    net = Net(1, 4, 4)
    product = net.op("MatMul", "p", net.x, net.op("Tanh", "t", net.x), None)
    result = _run(net.done(net.op("MulConst", "m", product, const_val=2.0)))
    assert result.count == 0
    assert "its weights are computed" in reasons(result.skips)


def test_mul_const_scales_a_matrix_and_its_bias():
    net = Net(2, 5)
    product = net.op("MatMul", "p", net.x, net.weight("w", 5, 3), net.weight("b", 3))
    graph = net.done(net.op("MulConst", "m", product, const_val=0.5))
    assert _run(graph).count == 1
    assert ops(graph) == ["MatMul m"]


@pytest.mark.parametrize("first", ["MulConst", "AddConst"])
@pytest.mark.parametrize("second", ["MulConst", "AddConst"])
def test_constants_before_a_scale_join_it(first, second):
    net = Net(1, 3, 4, 4)
    a = net.op(first, "a", net.x, const_val=1.5)
    b = net.op(second, "b", a, const_val=-0.75)
    scale = net.op("Scale", "s", b, net.weight("w", 1, 3, 1, 1), net.weight("z", 1, 3, 1, 1))
    graph = net.done(scale)
    assert _run(graph).count == 2
    assert ops(graph) == ["Scale s"]


def test_a_constant_with_relu_before_a_scale_stays():
    net = Net(1, 3, 4, 4)
    a = net.op("AddConst", "a", net.x, const_val=1.5, do_relu=True)
    scale = net.op("Scale", "s", a, net.weight("w", 1, 3, 1, 1), net.weight("z", 1, 3, 1, 1))
    graph = net.done(scale)
    assert _run(graph).count == 0
    assert ops(graph) == ["AddConst+relu a", "Scale s"]
