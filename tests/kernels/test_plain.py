"""Ops over plain arrays: look-ups and casts of integers equal the reference."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.errors import DataError
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.kernels.casts import round_to
from tpuc.simulator import Program, interpret


def _look_up(shape: tuple[int, ...], kind: DType, batch: int) -> Graph:
    """Rows of a table by int32 numbers, twice: as they are, and doubled in an image."""
    graph = Graph("look-up", "tpu")
    places = Value("i", (batch, shape[0]), DType.SI32)
    graph.add("Input", [], [places], with_defaults("Input", {}, "tpu"))
    numbers = np.random.default_rng(0).normal(size=(37, *shape[1:])).astype(np.float32)
    table = Value("table", numbers.shape, kind, None, round_to(numbers, kind))
    picked = Value("rows", (batch, *shape), kind)
    graph.add("Gather", [table, places], [picked], with_defaults("Gather", {"axis": 0}, "tpu"))
    bytes_ = Value("bytes", picked.shape, DType.SI8, QuantType(0.02))
    graph.add("Cast", [picked], [bytes_], with_defaults("Cast", {}, "tpu"))
    graph.outputs = [picked, bytes_]
    return graph


@pytest.mark.parametrize("kind", [DType.F32, DType.F16])
@pytest.mark.parametrize("shape", [(32, 384), (5, 3), (17, 130), (4, 3, 6)])
def test_rows_of_a_table(shape: tuple[int, ...], kind: DType, isa: str) -> None:
    graph = _look_up(shape, kind, 2)
    rng = np.random.default_rng(1)
    for low in (0, -37):  # from the end
        feeds = {"i": rng.integers(low, 37, (2, shape[0])).astype(np.int32)}
        expected = interpret(graph, feeds)
        for threads in (1, 2):
            program = Program(graph, threads)
            for observe in (None, "all"):
                for name, array in program.run_raw(feeds, observe).items():
                    np.testing.assert_array_equal(array, expected[name], name)


@pytest.mark.parametrize("place", [37, -38, 2**31 - 1])
def test_a_row_that_is_not_there(place: int) -> None:
    graph = _look_up((5, 3), DType.F16, 1)
    feeds = {"i": np.array([[0, 1, place, 2, 3]], np.int32)}
    with pytest.raises(DataError, match=f"position {place} is out of range; expected 0 to 36"):
        Program(graph, 1).run(feeds)


@pytest.mark.parametrize("kind", [DType.SI8, DType.UI8])
@pytest.mark.parametrize("scale", [1.0, 0.37, 3.5])
def test_bytes_as_int32(kind: DType, scale: float, isa: str) -> None:
    graph = Graph("cast", "tpu")
    given = Value("x", (1, 2, 1, 256))
    graph.add("Input", [], [given], with_defaults("Input", {}, "tpu"))
    cast = Value("q", given.shape, kind, QuantType(scale))
    graph.add("Cast", [given], [cast], with_defaults("Cast", {}, "tpu"))
    wide = Value("wide", given.shape, DType.SI32, QuantType(1.0))
    graph.add("Cast", [cast], [wide], with_defaults("Cast", {}, "tpu"))
    graph.outputs = [wide]
    feeds = {"x": (np.arange(512).reshape(given.shape) - 128).astype(np.float32) * scale}
    expected = interpret(graph, feeds)["wide"]
    assert len(np.unique(expected)) > 90
    found = Program(graph, 1).run_raw(feeds)["wide"]
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
