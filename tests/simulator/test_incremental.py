"""Incremental runs give the numbers of full runs, with fewer ops."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import networks
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.lowering import Lowerer
from tpuc.simulator import IncrementalRunner, Program

BATCHES = [{"input": np.concatenate([networks.sample(i), networks.sample(i + 1)])} for i in (0, 2)]


class _Network:
    def __init__(self, name, golden, bm1684x) -> None:
        self.graph = golden(name)
        self.table = table_text.read(networks.table_file(name))
        self.lowerer = Lowerer(self.graph, bm1684x)
        self.layers = [n.name for n in self.graph.nodes if n.op in ("Conv", "Add", "MatMul")]

    def lower(self, floats, table=None):
        choices = QuantizeTable({n: Choice("F16") for n in floats})
        return self.lowerer.lower(table or self.table, "INT8", choices).graph

    def alone(self, name):
        return self.lower([n for n in self.layers if n != name])


@pytest.fixture(scope="module", params=["resnet18", "shufflenet_v2_x0_5", "googlenet"])
def network(request, golden, bm1684x):
    return _Network(request.param, golden, bm1684x)


def _full(graph, name):
    program = Program(graph, 1)
    return [program.run(batch, observe=[name])[name] for batch in BATCHES]


def test_kept_tensors_change_no_number(network):
    runner = IncrementalRunner(BATCHES, 2)
    base = network.lower(network.layers)
    for at in network.layers[:: max(1, len(network.layers) // 5)]:
        variant = network.alone(at)
        output = variant.outputs[0].name
        runner.hold(base, [variant], at)
        found = [d[output] for d in runner.run(variant, [output])]
        for one, other in zip(found, _full(variant, output)):
            np.testing.assert_array_equal(one, other)
    assert runner.ops_run < runner.ops_asked


def test_varying_ops_in_order_runs_the_base_a_few_times_at_most(network):
    runner = IncrementalRunner(BATCHES, 2)
    base = network.lower(network.layers)
    for at in network.layers:
        runner.hold(base, [network.alone(at)], at)
    # a branch is run ahead for the ops beside it, and again when its own turn comes
    assert runner.ops_run <= 3 * len(base.nodes)


def test_any_tensor_may_be_asked_for_integers_as_real_numbers(network):
    runner = IncrementalRunner(BATCHES, 2)
    graph = network.lower([])
    names = [n.name for n in graph.nodes if n.op in ("Conv2D", "Pool2D", "Add")][::3]
    runs = list(runner.run(graph, names))
    for name in names:
        for one, other in zip((r[name] for r in runs), _full(graph, name)):
            np.testing.assert_array_equal(one, other)


def test_a_changed_threshold_is_a_changed_tensor(network):
    from tpuc.search.result import with_threshold

    runner = IncrementalRunner(BATCHES, 2)
    name = network.layers[-1]
    wider = with_threshold(network.table, name, network.table.ranges[name].threshold * 1.7)
    first, second = (
        network.alone(name),
        network.lower([n for n in network.layers if n != name], wider),
    )
    runner.hold(network.lower(network.layers), [first, second], name)
    output = first.outputs[0].name
    one = [d[output] for d in runner.run(first, [output])]
    two = [d[output] for d in runner.run(second, [output])]
    assert any((a != b).any() for a, b in zip(one, two))
    for a, b in zip(two, _full(second, output)):
        np.testing.assert_array_equal(a, b)


def test_an_unknown_tensor_is_an_error(network):
    runner = IncrementalRunner(BATCHES, 1)
    with pytest.raises(KeyError):
        list(runner.run(network.lower([]), ["nothere"]))
