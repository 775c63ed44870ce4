"""Data movement behind data movement becomes one op."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.ir import verify
from tpuc.passes import merge_moves


def _run(graph):
    before = graph.clone()
    result = merge_moves.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph, 0.0)
    return result


def test_reshapes_join_under_the_last_name():
    net = Net(1, 8, 6)
    a = net.op("Reshape", "a", net.x, shape=(1, 48))
    b = net.op("Reshape", "b", a, shape=(1, 4, 12))
    graph = net.done(net.op("Reshape", "c", b, shape=(1, 6, 8)))
    assert _run(graph).count == 2
    assert ops(graph) == ["Reshape c"]


def test_a_reshape_that_is_read_twice_stays():
    net = Net(1, 8, 6)
    a = net.op("Reshape", "a", net.x, shape=(1, 48))
    graph = net.done(net.op("Reshape", "b", a, shape=(6, 8)), net.op("Abs", "c", a))
    assert _run(graph).count == 0


def test_a_reshape_that_is_an_output_stays():
    net = Net(1, 8, 6)
    a = net.op("Reshape", "a", net.x, shape=(1, 48))
    graph = net.done(a, net.op("Reshape", "b", a, shape=(6, 8)))
    assert _run(graph).count == 0


def test_permutes_join():
    net = Net(1, 2, 3, 4)
    a = net.op("Permute", "a", net.x, order=(0, 2, 3, 1))
    graph = net.done(net.op("Permute", "b", a, order=(1, 0, 3, 2)))
    assert _run(graph).count == 1
    assert graph.nodes[1].attrs["order"] == (2, 0, 1, 3)


def test_concats_of_one_axis_join_in_order():
    net = Net(1, 2, 3, 3)
    t = net.op("Tanh", "t", net.x)
    inner = net.op("Concat", "i", net.x, t, axis=1)
    graph = net.done(net.op("Concat", "o", t, inner, net.x, axis=-3))
    assert _run(graph).count == 1
    assert [v.name for v in graph.outputs[0].producer.inputs] == ["t", "x", "t", "x"]


@pytest.mark.parametrize(("axis", "relu"), [(2, False), (1, True)])
def test_concats_of_other_axes_or_with_relu_stay(axis, relu):
    net = Net(1, 2, 3, 3)
    inner = net.op("Concat", "i", net.x, net.x, axis=axis, do_relu=relu)
    other = net.op("Concat", "k", inner, inner, axis=1)
    graph = net.done(net.op("Concat", "o", inner, other, axis=1), inner)
    assert _run(graph).count == 1  # only k joins o
    assert "Concat+relu i" in ops(graph) if relu else "Concat i" in ops(graph)


@pytest.mark.parametrize(
    ("dims", "order", "out", "crd", "inverse"),
    [
        ((1, 2, 2, 2, 3, 5), (0, 1, 4, 2, 5, 3), (1, 2, 6, 10), True, False),
        ((1, 2, 2, 2, 3, 5), (0, 3, 4, 1, 5, 2), (1, 2, 6, 10), False, False),
        ((1, 4, 3, 2, 5, 2), (0, 1, 3, 5, 2, 4), (1, 16, 3, 5), True, True),
    ],
)
def test_pixel_shuffles_are_depth_to_space(dims, order, out, crd, inverse):
    shape = (1, 4, 6, 10) if inverse else (1, 8, 3, 5)
    net = Net(*shape)
    a = net.op("Reshape", "a", net.x, shape=dims)
    b = net.op("Permute", "b", a, order=order)
    graph = net.done(net.op("Reshape", "c", b, shape=out))
    assert _run(graph).count == 1
    assert ops(graph) == ["Depth2Space c"]
    node = graph.nodes[1]
    assert (node.attrs["is_CRD"], node.attrs["is_inversed"]) == (crd, inverse)
    assert (node.attrs["block_h"], node.attrs["block_w"]) == (2, 2)


def test_a_channel_shuffle_is_no_depth_to_space():
    net = Net(1, 4, 2, 2)
    a = net.op("Reshape", "a", net.x, shape=(1, 2, 2, 2, 2))
    b = net.op("Permute", "b", a, order=(0, 2, 1, 3, 4))
    graph = net.done(net.op("Reshape", "c", b, shape=(1, 4, 2, 2)))
    assert _run(graph).count == 0
    assert ops(graph) == ["Reshape a", "Permute b", "Reshape c"]


def test_unequal_blocks_are_no_depth_to_space():
    net = Net(1, 12, 3, 5)
    a = net.op("Reshape", "a", net.x, shape=(1, 2, 2, 3, 3, 5))
    b = net.op("Permute", "b", a, order=(0, 1, 4, 2, 5, 3))
    graph = net.done(net.op("Reshape", "c", b, shape=(1, 2, 6, 15)))
    assert _run(graph).count == 0


def test_concats_of_torchscript_stay():
    net = Net(1, 3, 4, 4, platform="TORCH")
    inner = net.op("Concat", "i", net.x, net.x, axis=1)
    graph = net.done(net.op("Concat", "o", inner, net.x, axis=1))
    assert merge_moves.run(graph).count == 0
