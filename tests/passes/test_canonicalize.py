"""The passes as a whole."""

from __future__ import annotations

import pytest

import tpuc.passes as passes
from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.errors import GraphError
from tpuc.passes import PassResult, canonicalize


def _block():
    """What a detector's stem looks like before canonicalization."""
    net = Net(1, 3, 8, 8)
    pad = net.op("Pad", "pad", net.x, paddings=(0, 0, 0, 0, 0, 0, 1, 1), val=0.0, mode="constant")
    c = net.op("Relu", "r", net.conv("c", pad, 8, 3), relu_limit=6.0)
    project = net.conv("q", net.conv("p", c, 4), 6)
    gate = net.op("Mul", "m", project, net.op("Sigmoid", "s", project))
    half = net.op("Mul", "h", gate, net.given("half", 0.5))
    same = net.op("Reshape", "same", half, shape=half.shape)
    flat = net.op("Flatten", "f", net.pool("AvgPool", "g", same, 7), start_dim=1)
    out = net.op("MatMul", "o_MatMul", flat, net.weight("w", 6, 5), None)
    return net.done(net.op("Add", "o_Add", out, net.weight("v", 5)))


def test_a_block_takes_its_canonical_form():
    graph = _block()
    before = graph.clone()
    results = canonicalize(graph)
    assert ops(graph) == [
        "Conv+relu6.0 r",
        "Conv q",
        "SiLU m",
        "MulConst h",
        "AvgPool g",
        "Reshape f",
        "MatMul o_Gemm",
    ]
    assert_same_numbers(before, graph)
    assert [r.name for r in results] == [name for name, _ in passes.CANONICAL_PASSES]


def test_a_second_time_changes_nothing():
    graph = _block()
    canonicalize(graph)
    before = ops(graph)
    assert sum(r.count for r in canonicalize(graph)) == 0
    assert ops(graph) == before


def test_a_pass_that_breaks_the_graph_is_named(monkeypatch):
    def spoil(graph):
        graph.nodes[-1].attrs["no_such"] = 1
        return PassResult(1)

    steps = [("good", lambda graph: PassResult(0)), ("bad", spoil)]
    monkeypatch.setattr(passes, "CANONICAL_PASSES", steps)
    with pytest.raises(GraphError, match="pass bad \\(after good\\).*unknown attribute"):
        canonicalize(_block())
