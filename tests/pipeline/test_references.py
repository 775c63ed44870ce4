"""Float tensors of a search: those that calibration saw, or a run of their own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import networks
from tpuc.calibration import Options, calibrate
from tpuc.lowering import float_twin
from tpuc.pipeline.references import float_tensors
from tpuc.simulator import FloatEngine


@pytest.fixture(scope="module")
def graph(golden):
    return golden("squeezenet1_1")


def _batches(size: int, count: int) -> list[dict[str, np.ndarray]]:
    rows = [networks.sample(i) for i in range(count)]
    return [{"input": np.concatenate(rows[i : i + size])} for i in range(0, count, size)]


def test_outputs_of_calibration_are_those_of_a_run_of_their_own(graph, monkeypatch):
    name = graph.outputs[0].name
    own = float_tensors(graph, _batches(2, 4), [name], (), 2)
    seen: dict[int, dict[str, np.ndarray]] = {}
    engine, options = FloatEngine(float_twin(graph)), Options(("max",), 6)
    calibrate(graph, engine, _batches(3, 6), options, results=seen.__setitem__)
    known = [seen[i] for i in sorted(seen)]
    short = float_tensors(graph, _batches(2, 4), [name], known[:1], 2)
    monkeypatch.setattr(FloatEngine, "run", None)  # nothing runs from here on
    found = float_tensors(graph, _batches(2, 4), [name], known, 2)
    assert len(found) == len(short) == len(own) == 4
    for a, b, c in zip(found, short, own):
        assert list(a) == [name]
        np.testing.assert_array_equal(a[name], c[name])
        np.testing.assert_array_equal(b[name], c[name])


def test_tensors_inside_the_network_are_run_for(graph):
    inside = next(n.name for n in graph.nodes if n.op == "Conv")
    name = graph.outputs[0].name
    known = [{name: np.zeros((4, *graph.outputs[0].shape[1:]), np.float32)}]
    (found,) = float_tensors(graph, _batches(1, 1), [inside], known, 1)
    expected = FloatEngine(float_twin(graph)).run(_batches(1, 1)[0], [inside])[inside]
    np.testing.assert_array_equal(found[inside], expected.reshape(found[inside].shape))
