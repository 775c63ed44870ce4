"""Which ranges a Concat gives to what it joins: measured on TPU-MLIR with chains of moves."""

from __future__ import annotations

import pytest

from tests.passes.net import Net
from tpuc.lowering.propagate import propagate

WIDE, OWN = (-3.0, 3.0), (-2.0, 2.0)
# what stands between a Conv and the Concat, and whether the Conv takes the Concat's range
CHAINS = {"": True, "R": True, "P": True, "RP": False, "PR": False, "RPR": False, "PRP": False}


def chain(net: Net, x, moves: str):
    first = x.name
    for index, move in enumerate(moves):
        n, c, h, w = x.shape
        if move == "R":
            x = net.op("Reshape", f"{first}{index}", x, shape=(n, c * 2, h // 2, w))
        else:
            x = net.op("Permute", f"{first}{index}", x, order=(0, 1, 3, 2))
    return x


@pytest.mark.parametrize(("moves", "taken"), CHAINS.items())
def test_a_range_goes_back_through_one_move(moves, taken):
    net = Net(1, 4, 8, 8)
    moved = chain(net, net.conv("a", net.x, 8), moves)
    other = chain(net, net.conv("b", net.x, 8), moves)
    graph = net.done(net.op("Concat", "all", moved, other, axis=1))
    ranges = {v.name: OWN for v in graph.values() if v.name != "all"} | {"all": WIDE}
    ranges["b"] = (-2.5, 2.5)  # operands that agree give their range to the Concat instead
    if moves:
        ranges[other.name] = ranges["b"]
    found = propagate(graph, ranges)
    assert found["a"] == (WIDE if taken else OWN)
    assert found[moved.name] == found["a"]
    assert found["all"] == WIDE
