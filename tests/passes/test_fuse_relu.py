"""Relu disappears into what makes its input."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fuse_relu


def _run(graph):
    before = graph.clone()
    result = fuse_relu.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph, 0.0)
    return result


def test_the_fused_op_takes_the_relus_name_and_limit():
    net = Net(1, 3, 5, 5)
    graph = net.done(net.op("Relu", "r", net.conv("c", net.x, 4, 3), relu_limit=6.0))
    assert _run(graph).count == 1
    assert ops(graph) == ["Conv+relu6.0 r"]


@pytest.mark.parametrize(("first", "second", "kept"), [(6.0, 3.0, 3.0), (2.0, -1.0, 2.0)])
def test_the_smaller_limit_stays(first, second, kept):
    net = Net(1, 3, 5, 5)
    c = net.conv("c", net.x, 4, do_relu=True, relu_limit=first)
    graph = net.done(net.op("Relu", "r", c, relu_limit=second))
    _run(graph)
    assert ops(graph) == [f"Conv+relu{kept} r"]


def test_a_producer_with_other_users_keeps_its_relu_outside():
    net = Net(1, 3, 5, 5)
    c = net.conv("c", net.x, 4)
    graph = net.done(net.op("Relu", "r", c), net.op("Abs", "a", c))
    result = _run(graph)
    assert result.count == 0
    assert "has other users, Relu stays" in reasons(result.skips)


def test_a_producer_that_is_an_output_keeps_its_relu_outside():
    net = Net(1, 3, 5, 5)
    c = net.conv("c", net.x, 4)
    graph = net.done(c, net.op("Relu", "r", c))
    assert _run(graph).count == 0


@pytest.mark.parametrize("kind", ["Tanh", "Reshape", "Div"])
def test_ops_without_a_relu_of_their_own(kind):
    net = Net(1, 2, 3, 3)
    attrs = {"shape": (1, 18)} if kind == "Reshape" else {}
    inputs = (net.x, net.op("Exp", "e", net.x)) if kind == "Div" else (net.x,)
    graph = net.done(net.op("Relu", "r", net.op(kind, "k", *inputs, **attrs)))
    assert _run(graph).count == 0
    assert ops(graph)[-1] == "Relu r"


def test_relu_of_the_same_relu_is_one():
    net = Net(1, 2, 3, 3)
    graph = net.done(net.op("Relu", "b", net.op("Relu", "a", net.x)))
    _run(graph)
    assert ops(graph) == ["Relu b"]


def test_relu_of_relu6_stays_two():
    net = Net(1, 2, 3, 3)
    graph = net.done(net.op("Relu", "b", net.op("Relu", "a", net.x, relu_limit=6.0)))
    assert _run(graph).count == 0


def test_relu_moves_in_front_of_a_concat():
    net = Net(1, 3, 5, 5)
    a, b = net.conv("a", net.x, 2), net.conv("b", net.x, 2)
    cat = net.op("Concat", "c", a, net.op("Relu", "r", b), a, axis=1)
    graph = net.done(net.op("Relu", "s", cat, relu_limit=2.0))
    _run(graph)
    assert ops(graph) == [
        "Conv+relu2.0 a_move_ahead_relu",
        "Conv+relu2.0 r_move_ahead_relu",
        "Concat c_relu",
    ]


def test_relu_stays_behind_a_concat_of_what_can_not_take_it():
    net = Net(1, 3, 5, 5)
    cat = net.op("Concat", "c", net.conv("a", net.x, 2), net.op("Tanh", "t", net.x), axis=1)
    graph = net.done(net.op("Relu", "s", cat))
    result = _run(graph)
    assert ops(graph)[-2:] == ["Concat c", "Relu s"]
    assert "Tanh 't' can not take it" in reasons(result.skips)
