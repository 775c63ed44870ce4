"""A Slice of a Slice becomes one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.execute import run
from tpuc.ir import verify
from tpuc.passes import merge_slices

END = np.iinfo(np.int64).max
WHOLE = {"offset": (0, 0, 0, 0), "ends": (END,) * 4, "steps": (1, 1, 1, 1)}


def cut(axis, start, end, step=1):
    """Attributes of a Slice along one axis, in full form."""
    attrs = {k: list(v) for k, v in WHOLE.items()}
    attrs["offset"][axis], attrs["ends"][axis], attrs["steps"][axis] = start, end, step
    return {**{k: tuple(v) for k, v in attrs.items()}, "hasparamConvert_axes": (axis,)}


def slice_(net, name, x, attrs):
    return net.op("Slice", name, x, None, None, None, **attrs)


def test_two_axes_become_one_op():
    net = Net(1, 4, 8, 8)
    inner = slice_(net, "a", net.x, cut(2, 0, 8, 2))
    graph = net.done(slice_(net, "b", inner, cut(3, 1, 8, 2)))
    before = graph.clone()
    assert merge_slices.run(graph).count == 1
    verify(graph, "top")
    assert_same_numbers(before, graph, 0.0)
    assert ops(graph) == ["Slice b"]
    node = graph.nodes[-1]
    assert node.attrs["offset"] == (0, 0, 0, 1)
    assert node.attrs["ends"] == (1, 4, 8, 8)
    assert node.attrs["steps"] == (1, 1, 2, 2)
    assert node.attrs["hasparamConvert_axes"] == (3, 2)


def test_the_first_stays_for_its_other_users():
    net = Net(1, 4, 8, 8)
    inner = slice_(net, "a", net.x, cut(1, 2, 4))
    outer = slice_(net, "b", inner, cut(2, 1, 5))
    graph = net.done(net.op("Abs", "c", inner), outer)
    merge_slices.run(graph)
    assert ops(graph) == ["Slice a", "Slice b", "Abs c"]
    assert graph.find("b").producer.inputs[0] is net.x


def test_backward_slices_stay():
    net = Net(1, 4, 8, 8)
    inner = slice_(net, "a", net.x, cut(3, 7, -9, -1))
    graph = net.done(slice_(net, "b", inner, cut(3, 0, 4)))
    assert merge_slices.run(graph).count == 0


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_two_slices_of_one_axis(data):
    bounds = []
    size = 12
    for _ in range(2):
        start = data.draw(st.integers(0, size - 1))
        end = data.draw(st.one_of(st.integers(start + 1, size), st.just(END)))
        step = data.draw(st.integers(1, 4))
        bounds.append((start, end, step))
        size = len(range(size)[start:end:step])
    net = Net(1, 1, 1, 12)
    inner = slice_(net, "a", net.x, cut(3, *bounds[0]))
    graph = net.done(slice_(net, "b", inner, cut(3, *bounds[1])))
    merge_slices.run(graph)
    verify(graph, "top")
    x = np.arange(12, dtype=np.float32)
    wanted = x[slice(*bounds[0])][slice(*bounds[1])]
    got = run(graph, {"x": x.reshape(1, 1, 1, 12)})["b"].reshape(-1)
    assert pytest.approx(wanted) == got
