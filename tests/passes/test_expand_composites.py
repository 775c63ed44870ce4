"""Ops with a plainer spelling get it."""

from __future__ import annotations

import sys

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import Value, verify, with_defaults
from tpuc.passes import expand_composites


def _run(graph):
    before = graph.clone()
    result = expand_composites.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


def test_flatten_is_reshape():
    net = Net(2, 3, 4, 4)
    graph = net.done(net.op("Flatten", "f", net.x, start_dim=1))
    assert _run(graph).count == 1
    assert ops(graph) == ["Reshape f"]
    assert graph.nodes[1].attrs["shape"] == (2, 48)


def test_split_is_one_slice_per_output_in_use():
    net = Net(1, 7, 4, 4)
    parts = [Value(f"p{i}", (1, size, 4, 4)) for i, size in enumerate((2, 4, 1))]
    attrs = with_defaults("Split", {"axis": 1, "num": 3, "split_size": (2, 4, 1)})
    net.graph.add("Split", [net.x], parts, attrs)
    graph = net.done(parts[2], net.op("Abs", "a", parts[1]))
    assert _run(graph).count == 1
    assert ops(graph) == ["Slice p1", "Slice p2", "Abs a"]
    assert graph.nodes[1].attrs["offset"] == (0, 2, 0, 0)
    assert graph.nodes[1].attrs["ends"] == (sys.maxsize, 6, sys.maxsize, sys.maxsize)


@pytest.mark.parametrize(("mode", "pool"), [("ReduceMean", "AvgPool"), ("ReduceMax", "MaxPool")])
@pytest.mark.parametrize("keepdims", [True, False])
def test_reduce_over_height_and_width_is_a_pool(mode, pool, keepdims):
    net = Net(1, 3, 4, 6)
    graph = net.done(net.op("Reduce", "r", net.x, mode=mode, axes=(2, 3), keepdims=keepdims))
    assert _run(graph).count == 1
    assert ops(graph) == [f"{pool} r"]
    assert graph.nodes[1].attrs["kernel_shape"] == (4, 6)


def test_reduce_over_channels_stays():
    net = Net(1, 3, 4, 6)
    result = _run(
        net.done(net.op("Reduce", "r", net.x, mode="ReduceMean", axes=(1,), keepdims=True))
    )
    assert result.count == 0
    assert "not height and width" in reasons(result.skips)


def test_gather_of_one_position_is_slice_and_squeeze():
    net = Net(1, 3, 4, 6)
    index = net.given("i", 2.0)
    graph = net.done(net.op("Gather", "g", net.x, index, axis=2, keepdims=False))
    assert _run(graph).count == 1
    assert ops(graph) == ["Slice g_slice", "Squeeze g"]


def test_expand_is_tile():
    net = Net(1, 3, 1, 1)
    graph = net.done(net.op("Expand", "e", net.x, shape=(1, 3, 4, 5)))
    assert _run(graph).count == 1
    assert ops(graph) == ["Tile e"]
    assert graph.nodes[1].attrs["tile"] == (1, 1, 4, 5)


def test_expand_to_more_axes_reshapes_first():
    net = Net(3, 1)
    graph = net.done(net.op("Expand", "e", net.x, shape=(2, 3, 4)))
    assert _run(graph).count == 1
    assert ops(graph) == ["Reshape e_reshape", "Tile e"]


def test_nearest_by_whole_factors_is_upsample():
    net = Net(1, 3, 4, 4)
    attrs = {"mode": "nearest", "coord_mode": "asymmetric", "scale_h": 2.0, "scale_w": 2.0}
    graph = net.done(net.op("Interp", "i", net.x, None, **attrs))
    assert _run(graph).count == 1
    assert ops(graph) == ["Upsample i"]


def test_linear_stays():
    net = Net(1, 3, 4, 4)
    attrs = {"mode": "linear", "coord_mode": "half_pixel", "scale_h": 2.0, "scale_w": 2.0}
    graph = net.done(net.op("Interp", "i", net.x, None, **attrs))
    assert _run(graph).count == 0
    assert ops(graph) == ["Interp i"]


def test_a_slice_says_every_axis():
    net = Net(1, 3, 9, 6)
    attrs = {"axes": (2,), "offset": (-8,), "ends": (100,), "steps": (3,)}
    graph = net.done(net.op("Slice", "s", net.x, None, None, None, **attrs))
    assert _run(graph).count == 1
    node = graph.nodes[1]
    assert node.attrs["offset"] == (0, 0, -8, 0)
    assert node.attrs["ends"] == (1, 3, 100, 6)
    assert node.attrs["hasparamConvert_axes"] == (2,)
