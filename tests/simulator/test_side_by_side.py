"""Two networks op by op give the numbers of full runs, whatever changes on the way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import networks
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.ir import Graph, Value
from tpuc.lowering import Lowerer, float_twin
from tpuc.simulator import FloatEngine, Program, SideBySide

SIZES = (2, 1, 2)
BATCHES = [
    {"input": np.concatenate([networks.sample(3 * i + k) for k in range(size)])}
    for i, size in enumerate(SIZES)
]


class _Network:
    def __init__(self, name, golden, bm1684x) -> None:
        self.graph = golden(name)
        self.table = table_text.read(networks.table_file(name))
        self.processor = bm1684x
        self.layers = [n.name for n in self.graph.nodes if n.op in ("Conv", "MatMul")]

    def lower(self, graph: Graph) -> Graph:
        return Lowerer(graph, self.processor).lower(self.table, "INT8").graph

    def moved(self, names) -> Graph:
        """The network with other biases in some layers."""
        graph = self.graph.clone()
        for node in graph.nodes:
            if node.name in names:
                old = node.inputs[2]
                data = old.data + np.float32(0.3)
                made = Value(old.name, old.shape, old.dtype, old.quant, data)
                graph.set_inputs(node, [*node.inputs[:2], made])
        return graph

    def full(self, graph: Graph, name: str):
        real, ours = FloatEngine(float_twin(self.graph)), Program(self.lower(graph), 1)
        for batch in BATCHES:
            yield real.run(batch, [name])[name], ours.run(batch, observe=[name])[name]


@pytest.fixture(scope="module", params=["resnet18", "shufflenet_v2_x0_5"])
def network(request, golden, bm1684x):
    return _Network(request.param, golden, bm1684x)


def _pair(network, threads=2) -> SideBySide:
    lowered = network.lower(network.graph)
    return SideBySide(float_twin(network.graph), lowered, BATCHES, threads)


def _assert_equal(found, wanted):
    found, wanted = list(found), list(wanted)
    assert len(found) == len(wanted)
    for (a, b), (c, d) in zip(found, wanted):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_weights_that_change_as_it_goes(network):
    pair, changed = _pair(network), []
    for name in network.layers[:: max(1, len(network.layers) // 4)]:
        pair.arrive(name)
        _assert_equal(pair.pairs(name, name), network.full(network.moved(changed), name))
        changed.append(name)
        pair.put(network.lower(network.moved(changed)))
        _assert_equal(pair.pairs(name, name), network.full(network.moved(changed), name))
    ours = pair.outputs()[1]
    program = Program(network.lower(network.moved(changed)), 1)
    for batch, made in zip(BATCHES, ours):
        for name, array in program.run(batch).items():
            np.testing.assert_array_equal(made[name], array)


@pytest.mark.parametrize("place", [0, -1])
def test_ops_before_and_behind_may_change_too(network, place):
    """The former run again from the start."""
    pair, at = _pair(network), network.layers[len(network.layers) // 2]
    pair.arrive(at)
    changed = [network.layers[place]]
    pair.put(network.lower(network.moved(changed)))
    last = network.layers[-1]
    _assert_equal(pair.pairs(at, at), network.full(network.moved(changed), at))
    pair.arrive(last)
    _assert_equal(pair.pairs(last, last), network.full(network.moved(changed), last))


def test_another_structure_runs_from_the_start(network):
    pair, at = _pair(network), network.layers[3]
    pair.arrive(at)
    table = network.table
    floats = QuantizeTable({network.layers[1]: Choice("F16")})
    lowered = Lowerer(network.graph, network.processor).lower(table, "INT8", floats).graph
    pair.put(lowered)
    program = Program(lowered, 1)
    wanted = [program.run(batch, observe=[at])[at] for batch in BATCHES]
    for (_, made), array in zip(pair.pairs(at, at), wanted):
        np.testing.assert_array_equal(made, array)


def test_differences_are_those_of_the_arrays(network):
    pair = _pair(network)
    for name in (network.layers[2], network.layers[-1]):
        pair.arrive(name)
        axis = 1
        found = pair.compare(name, name, axis)
        for part, (x, y) in zip(found, pair.pairs(name, name)):
            x, y = x.astype(np.float64), y.astype(np.float64)
            rows = [v.reshape(len(v), -1).sum(axis=1) for v in (x * y, x * x, y * y, (x - y) ** 2)]
            np.testing.assert_allclose(part.sums, np.stack(rows, axis=1), rtol=1e-9)
            others = tuple(i for i in range(x.ndim) if i != axis)
            np.testing.assert_allclose(part.error, (x - y).sum(axis=others), atol=1e-6)
            assert part.count == x.size // x.shape[axis]
    again = pair.compare(name, name, axis)  # on arrays this time: they were asked for
    for one, other in zip(found, again):
        np.testing.assert_allclose(one.sums, other.sums, rtol=1e-9)


def test_outputs_as_given_and_threads_change_nothing(network):
    one, two = _pair(network, 1), _pair(network, 4)
    first = one.first_outputs()
    ours = two.outputs()[1]
    for a, b in zip(first, ours):
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[k], b[k]) for k in a)
    at = network.layers[1]
    one.arrive(at)
    _assert_equal(one.pairs(at, at), network.full(network.graph, at))
