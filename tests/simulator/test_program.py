"""The compiled program: batches, threads, observation, errors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import networks
from tests.kernels.single_op import integers, single_op
from tpuc.calibration import table as table_text
from tpuc.errors import DataError
from tpuc.ir import DType, Graph
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.simulator import Program, interpret

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def graph(golden, bm1684x) -> Graph:
    table = table_text.read(networks.table_file(NAME))
    return lower(golden(NAME), table, bm1684x).graph


@pytest.fixture(scope="module")
def stored(graph: Graph) -> dict[str, np.ndarray]:
    return interpret(graph, {"input": networks.sample(0)})


def test_raw_tensors_equal_the_reference(graph: Graph, stored: dict[str, np.ndarray]) -> None:
    found = Program(graph, 2).run_raw({"input": networks.sample(0)}, "all")
    assert set(found) == set(stored)
    for name, expected in stored.items():
        assert found[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


def test_observed_tensors_are_dequantized(graph: Graph, stored: dict[str, np.ndarray]) -> None:
    name = graph.nodes[5].name
    found = Program(graph).run({"input": networks.sample(0)}, [name])
    assert set(found) == {name, *(v.name for v in graph.outputs)}
    np.testing.assert_array_equal(found[name], to_float32(stored[name], graph.find(name)))


def test_a_callable_sees_every_tensor_in_program_order(graph: Graph) -> None:
    seen: dict[str, np.ndarray] = {}
    found = Program(graph).run({"input": networks.sample(0)}, seen.__setitem__)
    assert list(seen) == [v.name for v in graph.values()]
    assert list(found) == [v.name for v in graph.outputs]
    everything = Program(graph).run({"input": networks.sample(0)}, "all")
    for name, array in everything.items():
        np.testing.assert_array_equal(array, seen[name], err_msg=name)


def test_large_pictures_run_a_few_at_a_time(graph: Graph, monkeypatch) -> None:
    feeds = {"input": np.concatenate([networks.sample(i) for i in range(3)])}
    expected = Program(graph).run(feeds, "all")
    largest = max(v.size for v in graph.values() if not v.dtype.is_float)
    for pictures in (1, 2):
        monkeypatch.setattr("tpuc.simulator.program._NEAR", 4 * largest * pictures)
        found = Program(graph).run(feeds, "all")
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_batch_equals_its_samples(graph: Graph) -> None:
    program = Program(graph, 2)
    samples = [networks.sample(i) for i in range(3)]
    (output,) = (v.name for v in graph.outputs)
    together = program.run({"input": np.concatenate(samples)})[output]
    for index, sample in enumerate(samples):
        np.testing.assert_array_equal(
            together[index : index + 1], program.run({"input": sample})[output]
        )


def test_any_number_of_threads_gives_the_same_bits(graph: Graph) -> None:
    feeds = {"input": np.concatenate([networks.sample(i) for i in range(2)])}
    one = Program(graph, 1).run_raw(feeds, "all")
    for threads in (2, 3, 7):
        for name, array in Program(graph, threads).run_raw(feeds, "all").items():
            np.testing.assert_array_equal(array, one[name], err_msg=f"{name}, {threads} threads")


def test_results_do_not_share_memory_with_the_program(graph: Graph) -> None:
    program = Program(graph)
    feeds = {"input": networks.sample(0)}
    first = program.run_raw(feeds, "all")
    copies = {k: v.copy() for k, v in first.items()}
    program.run_raw({"input": networks.sample(1)}, "all")
    for name, array in copies.items():
        np.testing.assert_array_equal(array, first[name], err_msg=name)


def _mixes_samples() -> Graph:
    """Concat along the batch: a batch can not run at once."""
    shape = (1, 2, 3, 3)
    inputs = [(shape, DType.SI8)] * 2
    return single_op("Concat", inputs, ((2, 2, 3, 3), DType.SI8), {"axis": 0})


def test_a_graph_that_mixes_samples_runs_batch_by_batch() -> None:
    graph = _mixes_samples()
    rng = np.random.default_rng(0)
    feeds = {f"in{i}": integers(rng, (3, 2, 3, 3), DType.SI8) for i in range(2)}
    program = Program(graph)
    seen: dict[str, np.ndarray] = {}
    for found in (program.run_raw(feeds), program.run(feeds, seen.__setitem__, raw=True)):
        parts = [
            interpret(graph, {k: v[i : i + 1] for k, v in feeds.items()})["out"] for i in range(3)
        ]
        np.testing.assert_array_equal(found["out"], np.concatenate(parts))
    assert list(seen) == [v.name for v in graph.values()]
    assert "out" in program.fallbacks
    with pytest.raises(DataError, match="at once"):
        program.profile(feeds)


def test_profile_times_every_op(graph: Graph) -> None:
    times = Program(graph).profile({"input": networks.sample(0)}, 2)
    assert list(times) == [n.name for n in graph.nodes]
    assert all(seconds >= 0 for seconds in times.values())


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "expected \\['input'\\]"),
        ({"other": networks.sample(0)}, "expected \\['input'\\]"),
        ({"input": networks.sample(0)[:, :2]}, "expected \\(1, 3, 64, 64\\)"),
        ({"input": networks.sample(0)[0]}, "expected \\(1, 3, 64, 64\\)"),
        ({"input": networks.sample(0)[:0]}, "expected \\(1, 3, 64, 64\\)"),
    ],
)
def test_wrong_feeds(graph: Graph, feeds: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Program(graph).run(feeds)


def test_inputs_of_different_batches() -> None:
    feeds = {"in0": np.zeros((1, 2, 3, 3)), "in1": np.zeros((2, 2, 3, 3))}
    with pytest.raises(DataError, match="different batches"):
        Program(_mixes_samples()).run(feeds)


def test_unknown_tensor(graph: Graph) -> None:
    name = graph.nodes[5].name
    with pytest.raises(DataError, match=f"Hint: did you mean '{name}'"):
        Program(graph).run({"input": networks.sample(0)}, [name + "x"])


def test_threads_must_be_positive(graph: Graph) -> None:
    with pytest.raises(DataError, match="threads"):
        Program(graph, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.5, -0.5, 1.5, 126.5, -128.5, 1e30])
def test_quantizing_odd_inputs(value: float) -> None:
    shape = (1, 3, 2, 300)
    graph = single_op("Relu", [(shape, DType.SI8)], (shape, DType.SI8), {})
    feeds = {"in0": np.full(shape, value, np.float32)}
    found = Program(graph).run_raw(feeds, ["q0"])["q0"]
    np.testing.assert_array_equal(found, interpret(graph, feeds)["q0"])
