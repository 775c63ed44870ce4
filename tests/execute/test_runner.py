"""The torch runner: what other engines are held against."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from tpuc.errors import DataError
from tpuc.execute import FloatRunner, run
from tpuc.ir import Graph, Value, with_defaults


def _network(axis: int = 1) -> Graph:
    """input -> relu -> joined with the input."""
    graph = Graph("net")
    x, y = Value("input", (1, 2, 4, 4)), Value("positive", (1, 2, 4, 4))
    shape = (2, 2, 4, 4) if axis == 0 else (1, 4, 4, 4)
    z = Value("joined", shape)
    graph.add("Input", [], [x], with_defaults("Input", {}))
    graph.add("Relu", [x], [y], with_defaults("Relu", {}))
    graph.add("Concat", [x, y], [z], with_defaults("Concat", {"axis": axis}))
    graph.outputs = [z]
    return graph


def _samples(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 2, 4, 4)).astype(np.float32)


def test_tensors_come_in_program_order():
    names: list[str] = []
    run(_network(), {"input": _samples(1)}, lambda name, array: names.append(name))
    assert names == ["input", "positive", "joined"]


def test_named_tensors_are_returned_besides_the_outputs():
    x = _samples(2)
    found = run(_network(), {"input": x}, ["positive"])
    assert set(found) == {"positive", "joined"}
    assert (found["positive"] == np.maximum(x, 0)).all()
    assert (found["joined"] == np.concatenate([x, np.maximum(x, 0)], 1)).all()


def test_a_graph_that_mixes_samples_is_run_sample_by_sample():
    x = _samples(3)
    found = run(_network(axis=0), {"input": x})["joined"]
    expected = [row for one in x for row in (one, np.maximum(one, 0))]
    assert (found == np.stack(expected)).all()


def test_an_activation_is_freed_after_its_last_reader():
    alive: dict[str, weakref.ref] = {}
    left: list[bool] = []

    def note(name: str, array: np.ndarray) -> None:
        if name == "joined":
            gc.collect()
            left.append(alive["scratch"]() is not None)
        alive["scratch" if name == "positive" else name] = weakref.ref(array)

    run(_network(), {"input": _samples(1)}, note)
    assert left == [False]


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, r"missing \['input'\]"),
        ({"input": _samples(1), "other": _samples(1)}, r"unknown \['other'\]"),
        ({"input": _samples(1)[:, :1]}, r"input 'input': shape \(1, 1, 4, 4\); expected"),
        ({"input": _samples(1)[:0]}, r"shape \(0, 2, 4, 4\)"),
    ],
)
def test_wrong_feeds_are_named(feeds, message):
    with pytest.raises(DataError, match=message):
        FloatRunner(_network()).run(feeds)
