"""A 1x1 convolution disappears into the convolution behind it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import merge_convs


def _run(graph):
    before = graph.clone()
    result = merge_convs.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


@pytest.mark.parametrize("kernel", [1, 3])
def test_filters_multiply_and_the_second_names_it(kernel):
    net = Net(1, 5, 6, 6)
    first = net.conv("a", net.x, 4)
    graph = net.done(net.conv("b", first, 6, kernel, do_relu=True, relu_limit=6.0))
    a, b = (node.weight(1) for node in graph.nodes[1:])
    assert _run(graph).count == 1
    assert ops(graph) == ["Conv+relu6.0 b"]
    exact = np.einsum("edhw,dc->echw", b.astype(np.float64), a[:, :, 0, 0].astype(np.float64))
    np.testing.assert_allclose(graph.nodes[1].weight(1), exact, rtol=0, atol=1e-5)


def test_three_in_a_row_are_one():
    net = Net(1, 5, 6, 6)
    graph = net.done(net.conv("c", net.conv("b", net.conv("a", net.x, 4), 6), 3))
    assert _run(graph).count == 2
    assert ops(graph) == ["Conv c"]


def test_the_second_may_have_a_stride():
    net = Net(1, 5, 6, 6)
    graph = net.done(net.conv("b", net.conv("a", net.x, 4), 6, 3, strides=(2, 2)))
    assert _run(graph).count == 1


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({}, {"kernel": 3, "pad": 1}, "one of them pads"),
        ({"do_relu": True}, {}, "there is a Relu in between"),
        ({"group": 2}, {}, "one of them is grouped"),
        ({}, {"group": 2}, "one of them is grouped"),
        ({"strides": (2, 2)}, {}, "the first one has a stride"),
    ],
)
def test_what_keeps_them_apart(first, second, reason):
    net = Net(1, 8, 6, 6)
    a = net.conv("a", net.x, 4, **first)
    result = _run(net.done(net.conv("b", a, 6, **second)))
    assert result.count == 0
    assert reason in reasons(result.skips)


def test_a_bottleneck_stays():
    net = Net(1, 64, 4, 4)
    result = _run(net.done(net.conv("b", net.conv("a", net.x, 1), 64)))
    assert result.count == 0
    assert "too large" in reasons(result.skips)


def test_other_users_keep_them_apart():
    net = Net(1, 8, 6, 6)
    a = net.conv("a", net.x, 4)
    result = _run(net.done(a, net.conv("b", a, 6)))
    assert "it has other users" in reasons(result.skips)


@pytest.mark.parametrize("biased", [(False, False), (True, False), (False, True)])
def test_without_biases_there_is_none(biased):
    net = Net(1, 5, 6, 6)
    graph = net.done(net.conv("b", net.conv("a", net.x, 4), 6))
    for node, keep in zip(graph.nodes[1:], biased):
        if not keep:
            graph.set_inputs(node, node.inputs[:2])
    assert _run(graph).count == 1
    assert len(graph.nodes[1].inputs) == (3 if any(biased) else 2)
