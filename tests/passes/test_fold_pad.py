"""Pad disappears into the windows that read it."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops, reasons
from tpuc.ir import verify
from tpuc.passes import fold_pad


def _run(graph):
    before = graph.clone()
    result = fold_pad.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    return result


def _pad(net, paddings, value=0.0, mode="constant"):
    return net.op("Pad", "p", net.x, paddings=paddings, val=value, mode=mode)


def test_all_users_take_it_on_top_of_their_own():
    net = Net(1, 4, 6, 6)
    p = _pad(net, (0, 0, 1, 2, 0, 0, 3, 1))
    graph = net.done(net.conv("a", p, 4, 3, pad=1), net.conv("b", p, 4, 3, group=2))
    assert _run(graph).count == 1
    assert ops(graph) == ["Conv a", "Conv b"]
    assert graph.nodes[1].attrs["pads"] == (2, 3, 4, 2)


def test_an_average_counts_the_zeros():
    net = Net(1, 4, 6, 6)
    graph = net.done(net.pool("AvgPool", "a", _pad(net, (0, 0, 1, 1, 0, 0, 1, 1)), 3))
    assert _run(graph).count == 1
    assert graph.nodes[1].attrs["count_include_pad"] is True


@pytest.mark.parametrize(
    ("paddings", "value", "mode", "reason"),
    [
        ((0, 0, 1, 1, 0, 0, 1, 1), 0.5, "constant", "can not take a padding of 0.5"),
        ((0, 0, 1, 1, 0, 0, 1, 1), 0.0, "reflect", "mode is reflect"),
        ((0, 1, 1, 1, 0, 1, 1, 1), 0.0, "constant", "are not spatial"),
        ((0, 0, -1, 0, 0, 0, 1, 1), 0.0, "constant", "are not spatial"),
    ],
)
def test_what_a_conv_can_not_take(paddings, value, mode, reason):
    net = Net(1, 4, 6, 6)
    p = _pad(net, paddings, value, mode)
    result = _run(net.done(net.conv("c", p, 4, 3)))
    assert result.count == 0
    assert reason in reasons(result.skips)


@pytest.mark.parametrize(("platform", "count"), [("ONNX", 1), ("TORCH", 0)])
def test_a_wide_padding(platform, count):
    net = Net(1, 4, 6, 6, platform=platform)
    result = _run(net.done(net.conv("c", _pad(net, (0, 0, 1, 16, 0, 0, 1, 1)), 4, 3)))
    assert result.count == count
    assert count or "above 15" in reasons(result.skips)


def test_a_maximum_must_not_see_zeros():
    net = Net(1, 4, 6, 6)
    result = _run(net.done(net.pool("MaxPool", "m", _pad(net, (0, 0, 1, 1, 0, 0, 1, 1)), 3)))
    assert result.count == 0
    assert "MaxPool 'm' can not take" in reasons(result.skips)


def test_an_average_that_leaves_its_own_padding_out_stays():
    net = Net(1, 4, 6, 6)
    p = _pad(net, (0, 0, 1, 1, 0, 0, 1, 1))
    result = _run(net.done(net.pool("AvgPool", "a", p, 3, pads=(1, 1, 1, 1))))
    assert result.count == 0


def test_one_user_that_can_not_take_it_keeps_it_for_all():
    net = Net(1, 4, 6, 6)
    p = _pad(net, (0, 0, 1, 1, 0, 0, 1, 1))
    result = _run(net.done(net.conv("c", p, 4, 3), net.op("Abs", "a", p)))
    assert result.count == 0
    assert "Abs 'a'" in reasons(result.skips)


def test_a_pad_that_is_an_output_stays():
    net = Net(1, 4, 6, 6)
    p = _pad(net, (0, 0, 1, 1, 0, 0, 1, 1))
    result = _run(net.done(p, net.conv("c", p, 4, 3)))
    assert "it is an output" in reasons(result.skips)


def test_two_pads_in_a_row_fold_both():
    net = Net(1, 4, 6, 6)
    inner = _pad(net, (0, 0, 1, 0, 0, 0, 2, 0))
    outer = net.op("Pad", "o", inner, paddings=(0, 0, 0, 3, 0, 0, 0, 4), mode="constant")
    graph = net.done(net.conv("c", outer, 4, 3))
    assert _run(graph).count == 2
    assert graph.nodes[1].attrs["pads"] == (1, 3, 2, 4)
