"""Scale disappears into the MatMul or Scale that makes its input."""

from __future__ import annotations

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fold_scale


def _run(graph):
    before = graph.clone()
    result = fold_scale.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


def _scale(net, name, x, **attrs):
    shape = (1, x.shape[1], 1, 1) if len(x.shape) == 4 else (1, x.shape[1])
    weights = net.weight(f"{name}_w", *shape), net.weight(f"{name}_b", *shape)
    return net.op("Scale", name, x, *weights, **attrs)


def test_three_scales_are_one_with_the_last_name_and_relu():
    net = Net(1, 3, 4, 4)
    b = _scale(net, "b", _scale(net, "a", net.x))
    graph = net.done(_scale(net, "c", b, do_relu=True, relu_limit=6.0))
    assert _run(graph).count == 2
    assert ops(graph) == ["Scale+relu6.0 c"]


def test_a_matrix_takes_the_scale():
    net = Net(2, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 3), None)
    graph = net.done(_scale(net, "s", m))
    assert _run(graph).count == 1
    assert ops(graph) == ["MatMul s"]


def test_a_matrix_with_bias_takes_the_scale():
    net = Net(2, 5)
    m = net.op("MatMul", "m", net.x, net.weight("w", 5, 3), net.weight("b", 3))
    graph = net.done(_scale(net, "s", m))
    assert _run(graph).count == 1


def test_a_relu_in_between_keeps_the_scale():
    net = Net(1, 3, 4, 4)
    graph = net.done(_scale(net, "b", _scale(net, "a", net.x, do_relu=True)))
    result = _run(graph)
    assert result.count == 0
    assert "has a Relu in between" in reasons(result.skips)


def test_other_users_keep_the_scale():
    net = Net(1, 3, 4, 4)
    a = _scale(net, "a", net.x)
    result = _run(net.done(a, _scale(net, "b", a)))
    assert result.count == 0
    assert "other users" in reasons(result.skips)


def test_a_computed_matrix_keeps_the_scale():
    net = Net(3, 3)
    m = net.op("MatMul", "m", net.x, net.op("Tanh", "t", net.x), None)
    result = _run(net.done(_scale(net, "s", m)))
    assert result.count == 0
    assert "computed operands" in reasons(result.skips)


def test_a_scale_behind_a_conv_stays_until_lowering():
    net = Net(1, 3, 4, 4)
    graph = net.done(_scale(net, "s", net.conv("c", net.x, 4)))
    assert _run(graph).count == 0
    assert ops(graph) == ["Conv c", "Scale s"]
