"""Bias correction: mean errors vanish, layers that need none are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.correction.stand import Stand, made_pictures
from tpuc.correction import correct_biases
from tpuc.ir import Graph
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine, Program


@pytest.fixture(scope="module")
def stand(golden, bm1684x):
    return Stand(golden("shufflenet_v2_x0_5"), bm1684x, made_pictures(0, 4))


@pytest.fixture(scope="module")
def corrected(stand):
    return correct_biases(stand.graph, stand.bench(), 1.0)


def means(stand, graph: Graph, name: str) -> np.ndarray:
    """Mean error of each channel, computed by full runs."""
    runs = FloatEngine(float_twin(stand.graph)), Program(stand.lower(graph))
    pairs = [[run.run(batch, observe=[name])[name] for run in runs] for batch in stand.batches]
    total = [a.astype(np.float64) - b for a, b in pairs]
    return np.concatenate(total).mean(axis=(0, 2, 3))


def test_mean_errors_shrink_and_outputs_come_nearer(stand, corrected):
    assert corrected.after > corrected.before
    moved = [n for n in corrected.notes if n.what.startswith("bias moved")]
    assert len(moved) > 5 and all(n.after > n.before for n in moved)
    linear = {n.name for n in stand.graph.nodes if n.op == "Conv" and not n.flag("do_relu")}
    name = next(n.name for n in moved if n.name in linear)
    before = np.abs(means(stand, stand.graph, name)).mean()
    assert np.abs(means(stand, corrected.graph, name)).mean() < 0.5 * before


def test_only_biases_change(stand, corrected):
    for a, b in zip(stand.graph.nodes, corrected.graph.nodes):
        assert (a.op, a.name, a.attrs) == (b.op, b.name, b.attrs)
        if len(a.inputs) > 1 and a.inputs[1] is not None and a.inputs[1].is_weight:
            assert a.inputs[1].data is b.inputs[1].data


def test_similar_layers_are_left_alone(stand):
    found = correct_biases(stand.graph, stand.bench(), 0.0)
    assert all("not below 0" in n.what for n in found.notes[:-1])
    assert found.graph is stand.graph and found.after == found.before


def test_threads_change_nothing(stand, corrected):
    again = correct_biases(stand.graph, stand.bench(1), 1.0)
    pairs = zip(again.graph.weights(), corrected.graph.weights())
    assert all(np.array_equal(a.data, b.data) for a, b in pairs)
