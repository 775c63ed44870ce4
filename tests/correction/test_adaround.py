"""Learned roundings: nearer to float, and exactly what lowering makes of the rewritten weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.correction.stand import Stand, digits_network, made_pictures
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.correction import Learning, learn_rounding
from tpuc.correction.adaround import _as_floats, _problem, _solve
from tpuc.correction.bench import Walk
from tpuc.correction.layers import to_rows, weighted_layers
from tpuc.lowering import float_twin
from tpuc.processors import load_processor
from tpuc.simulator import FloatEngine, Program
from tpuc.zoo.digits import split

FACTS = Path(__file__).parents[2] / "conf" / "processor"


@pytest.fixture(scope="module")
def pictures():
    return split()[0][0]


@pytest.fixture(scope="module")
def stand(tmp_path_factory, bm1684x, pictures):
    graph = digits_network(tmp_path_factory.mktemp("digits"))
    return Stand(graph, bm1684x, pictures[:40])


@pytest.fixture(scope="module")
def learned(stand):
    return learn_rounding(stand.graph, stand.bench(), Learning(600))


@pytest.mark.parametrize("processor", ["bm1684x", "bm1684"])
def test_lowering_makes_any_integers_and_keeps_the_scales(golden, processor):
    facts = yaml.safe_load((FACTS / f"{processor}.yaml").read_text())
    stand = Stand(golden("mobilenet_v2"), load_processor(facts), made_pictures(0, 2))
    walk = Walk(stand.graph, stand.bench())
    layers, _ = weighted_layers(walk.graph, walk.lowered)
    changed = 0
    for name in layers:
        node, twin = walk.nodes[name], walk.lowered_node(name)
        problem = _problem(node, twin)
        chance = np.random.default_rng(len(name))
        up = np.where(problem.room != 0, chance.integers(0, 2, problem.room.shape), 0)
        wanted = problem.low + up
        before = {k: v for k, v in twin.attrs.items() if k.startswith(("multiplier", "rshift"))}
        nearest = to_rows(node, twin.inputs[1].data)
        walk.put(name, {1: _as_floats(walk, node, wanted)})
        again = walk.lowered_node(name)
        assert np.array_equal(to_rows(node, again.inputs[1].data), wanted)
        assert all(again.attrs[k] == v for k, v in before.items())
        changed += np.count_nonzero(nearest != wanted)
    assert changed > 10_000


def test_every_choice_is_a_neighbour_of_the_weight(stand):
    walk = Walk(stand.graph, stand.bench())
    layers, _ = weighted_layers(walk.graph, walk.lowered)
    for name in layers[:8]:
        node = walk.nodes[name]
        walk.arrive(name)
        integers, flipped = _solve(walk, node, Learning(300))
        scaled = _problem(node, walk.lowered_node(name)).scaled
        assert np.abs(integers - scaled).max() < 1.0 + 1e-4
        assert np.abs(integers).max() <= 127
        nearest = to_rows(node, walk.lowered_node(name).inputs[1].data)
        assert np.count_nonzero(integers != nearest) == flipped


def test_outputs_come_nearer_to_float_also_on_other_samples(stand, learned, pictures):
    assert learned.after > learned.before
    x = pictures[100:400]
    name = stand.graph.outputs[0].name
    real = FloatEngine(float_twin(stand.graph)).run({"input": x})[name]
    losses = []
    for graph in (stand.graph, learned.graph):
        lowered = stand.lower(graph)
        ours = Program(lowered, 1).run({"input": x})[lowered.outputs[0].name]
        losses.append(float(np.square(ours - real).sum()))
    assert losses[1] < 0.8 * losses[0]


def test_weights_alone_change_and_every_layer_is_told_of(stand, learned):
    assert [n.name for n in learned.graph.nodes] == [n.name for n in stand.graph.nodes]
    told = {note.name for note in learned.notes}
    assert told == {n.name for n in stand.graph.nodes if n.op in ("Conv", "MatMul")}
    assert any("rounded otherwise" in note.what for note in learned.notes)


def test_threads_and_seed(stand, learned):
    again = learn_rounding(stand.graph, stand.bench(1), Learning(600))
    other = learn_rounding(stand.graph, stand.bench(), Learning(600, seed=1))
    same = [
        all(np.array_equal(a.data, b.data) for a, b in zip(learned.graph.weights(), g.weights()))
        for g in (again.graph, other.graph)
    ]
    assert same == [True, False]


def test_float_layers_are_left_alone_with_a_reason(stand, bm1684x, pictures):
    name = next(n.name for n in stand.graph.nodes if n.op == "Conv")
    mixed = Stand(stand.graph, bm1684x, pictures[:4], QuantizeTable({name: Choice("F16")}))
    found = learn_rounding(mixed.graph, mixed.bench(), Learning(100))
    assert next(n for n in found.notes if n.name == name).what == "its type is F16"
