"""Rows, columns and steps rebuild what layers compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.correction.stand import Stand, made_pictures
from tpuc.correction.layers import columns, from_rows, positions, steps, to_rows, weighted_layers
from tpuc.execute import FloatRunner
from tpuc.ir import Graph, Value, with_defaults
from tpuc.numerics.rounding import round_away


def conv(group: int, kernel: int, stride: int, pads: tuple[int, ...], dilation: int) -> Graph:
    """A network of one Conv."""
    chance = np.random.default_rng(group)
    graph = Graph("conv")
    x = Value("input", (1, 4, 9, 8))
    graph.add("Input", [], [x], with_defaults("Input", {}, "top"))
    w = chance.normal(size=(6 if group < 4 else 4, 4 // group, kernel, kernel)).astype(np.float32)
    attrs = {
        "kernel_shape": (kernel, kernel), "strides": (stride, stride), "pads": pads,
        "dilations": (dilation, dilation), "group": group,
    }  # fmt: skip
    high = 9 + pads[0] + pads[2] - dilation * (kernel - 1) - 1
    wide = 8 + pads[1] + pads[3] - dilation * (kernel - 1) - 1
    shape = (1, w.shape[0], high // stride + 1, wide // stride + 1)
    y = Value("y", shape)
    graph.add("Conv", [x, Value("w", w.shape, data=w)], [y], with_defaults("Conv", attrs, "top"))
    graph.outputs = [y]
    return graph


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 2, 4]), st.integers(1, 3), st.integers(1, 2),
    st.tuples(*[st.integers(0, 2)] * 4), st.integers(1, 2),
)  # fmt: skip
def test_rows_times_columns_are_the_convolution(group, kernel, stride, pads, dilation):
    graph = conv(group, kernel, stride, pads, dilation)
    node = graph.nodes[-1]
    x = np.random.default_rng(0).normal(size=(3, 4, 9, 8)).astype(np.float32)
    whole = FloatRunner(graph, 1).run({"input": x})["y"]
    total = positions(node, 3)
    assert total == 3 * whole.shape[2] * whole.shape[3]
    picks = np.arange(0, total, 2)
    rows = to_rows(node, node.weight(1))
    made = (rows @ columns(node, x, picks)).reshape(whole.shape[1], -1)
    wanted = whole.transpose(1, 0, 2, 3).reshape(whole.shape[1], -1)[:, picks]
    np.testing.assert_allclose(made, wanted, atol=1e-5)
    assert np.array_equal(from_rows(node, rows), node.weight(1))


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_steps_turn_weights_into_what_lowering_makes_of_them(golden, bm1684x, name):
    stand = Stand(golden(name), bm1684x, made_pictures(0, 2))
    lowered = stand.lower(stand.graph)
    layers, skipped = weighted_layers(stand.graph, lowered)
    assert not skipped
    assert len(layers) == sum(n.op in ("Conv", "MatMul") for n in stand.graph.nodes)
    twins = {n.name: n for n in lowered.nodes}
    for node in stand.graph.nodes:
        if node.name in layers:
            rows = to_rows(node, node.weight(1)).astype(np.float64)
            step = np.broadcast_to(steps(twins[node.name]), rows.shape[0] * rows.shape[1])
            made = round_away(rows / step.reshape(*rows.shape[:2], 1))
            wanted = to_rows(node, twins[node.name].inputs[1].data)
            assert np.mean(made != wanted) < 1e-4  # a half may fall to either side
