"""Ops that change nothing vanish."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.ir import verify
from tpuc.passes import remove_identity

IDENTITIES = [
    ("Reshape", {"shape": (1, 3, 4, 4)}),
    ("Permute", {"order": (0, 1, 2, 3)}),
    ("Tile", {"tile": (1, 1, 1, 1)}),
    ("Pad", {"paddings": (0,) * 8, "mode": "constant"}),
    ("Concat", {"axis": 1}),
]


def _run(graph):
    before = graph.clone()
    result = remove_identity.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph, 0.0)
    return result


@pytest.mark.parametrize(("kind", "attrs"), IDENTITIES)
def test_it_vanishes(kind, attrs):
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op("Abs", "a", net.op(kind, "k", net.x, **attrs)))
    assert _run(graph).count == 1
    assert ops(graph) == ["Abs a"]


@pytest.mark.parametrize(("kind", "attrs"), IDENTITIES)
def test_an_output_keeps_its_name(kind, attrs):
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op(kind, "k", net.x, **attrs))
    assert _run(graph).count == 0


@pytest.mark.parametrize(
    ("kind", "attrs"),
    [
        ("Reshape", {"shape": (1, 3, 16)}),
        ("Permute", {"order": (0, 1, 3, 2)}),  # equal sizes, other order
        ("Concat", {"axis": 1, "do_relu": True}),
    ],
)
def test_what_changes_something_stays(kind, attrs):
    net = Net(1, 3, 4, 4)
    graph = net.done(net.op("Abs", "a", net.op(kind, "k", net.x, **attrs)))
    assert _run(graph).count == 0


@pytest.mark.parametrize(("axis", "left"), [(-1, ["Abs a"]), (2, None)])
def test_squeeze_undoes_unsqueeze(axis, left):
    net = Net(1, 3, 1, 4)
    wide = net.op("Unsqueeze", "u", net.x, axes=(4,))
    graph = net.done(net.op("Abs", "a", net.op("Squeeze", "s", wide, axes=(axis,))))
    _run(graph)
    assert ops(graph) == (left or ["Unsqueeze u", "Squeeze s", "Abs a"])
