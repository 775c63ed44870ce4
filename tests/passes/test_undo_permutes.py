"""Permutes that turn back go."""

from __future__ import annotations

from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.ir import verify
from tpuc.passes import undo_permutes


def _run(net, last):
    graph = net.done(last)
    before = graph.clone()
    undo_permutes.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return graph


def test_a_reshape_is_what_is_left():
    net = Net(1, 6, 4)
    turned = net.op("Permute", "p", net.x, order=(0, 2, 1))
    shaped = net.op("Reshape", "r", turned, shape=(1, 2, 2, 6))
    back = net.op("Permute", "q", shaped, order=(0, 3, 1, 2))
    graph = _run(net, net.op("Abs", "y", back))
    assert ops(graph) == ["Reshape x_r_Reshape", "Abs y"]


def test_a_reshape_behind_them_reads_the_source():
    net = Net(1, 6, 4)
    turned = net.op("Permute", "p", net.x, order=(0, 2, 1))
    shaped = net.op("Reshape", "r", turned, shape=(1, 2, 2, 6))
    back = net.op("Permute", "q", shaped, order=(0, 3, 1, 2))
    graph = _run(net, net.op("Abs", "y", net.op("Reshape", "s", back, shape=(1, 24))))
    assert ops(graph) == ["Reshape s", "Abs y"]


def test_other_orders_stay():
    net = Net(1, 6, 4)
    turned = net.op("Permute", "p", net.x, order=(0, 2, 1))
    shaped = net.op("Reshape", "r", turned, shape=(1, 2, 2, 6))
    graph = _run(net, net.op("Permute", "q", shaped, order=(0, 1, 3, 2)))
    assert ops(graph) == ["Permute p", "Reshape r", "Permute q"]
