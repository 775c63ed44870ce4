"""What calibration makes of awkward data."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.calibration import METHODS, Options, calibrate
from tpuc.errors import DataError
from tpuc.ir import Graph, Value, with_defaults
from tpuc.lowering import float_twin
from tpuc.simulator import FloatEngine


def _network(factor: float) -> Graph:
    """input -> x * factor -> relu."""
    graph = Graph("net")
    x, y, z = (Value(n, (1, 2, 4, 4)) for n in ("input", "scaled", "out"))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    graph.add("MulConst", [x], [y], with_defaults("MulConst", {"const_val": factor}))
    graph.add("Relu", [y], [z], with_defaults("Relu", {}))
    graph.outputs = [z]
    return graph


def _run(graph: Graph, samples: np.ndarray, **options):
    engine = FloatEngine(float_twin(graph), 1)
    batches = [{"input": samples[i : i + 1]} for i in range(len(samples))]
    return calibrate(graph, engine, batches, Options(METHODS, len(samples), **options))


def _samples(count: int = 6) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 2, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_names_op_and_sample(bad):
    samples = _samples()
    samples[3, 0, 0, 0] = bad
    with pytest.raises(DataError, match="op 'input': NaN or infinite activation in sample 3"):
        _run(_network(1.0), samples)


def test_an_all_zero_layer_gets_a_tiny_range_and_is_reported():
    result = _run(_network(0.0), _samples())
    assert result.zeros == ("scaled", "out")
    for method in ("kl", "max", "mse", "percentile9999"):
        row = result.tables[method].ranges["out"]
        assert row.threshold == pytest.approx(1e-5)
        assert (row.min, row.max) == (0.0, pytest.approx(1e-5))


def test_no_samples_is_an_error():
    with pytest.raises(DataError, match="no samples"):
        _run(_network(1.0), _samples(0))


def test_torch_observer_covers_the_data():
    row = _run(_network(1.0), _samples()).tables["torch_observer"].ranges["input"]
    largest = float(np.abs(_samples()).max())
    assert 0.5 * largest < row.threshold <= 1.05 * largest


def test_kurtosis_is_the_mean_of_each_samples():
    stats = pytest.importorskip("scipy.stats")
    samples = _samples(20)
    found = _run(_network(1.0), samples, kurtosis=True).kurtosis
    each = [stats.kurtosis(s, axis=None, fisher=False) for s in samples]
    assert found["input"] == pytest.approx(np.mean(each), rel=1e-4)


def test_kurtosis_of_a_constant_is_infinite():
    assert _run(_network(0.0), _samples(), kurtosis=True).kurtosis["out"] == np.inf


def test_max_is_the_largest_magnitude():
    table = _run(_network(-2.0), _samples()).tables["max"].ranges
    assert table["scaled"].threshold == pytest.approx(2 * np.abs(_samples()).max(), rel=1e-6)
    assert table["out"].min == 0.0
