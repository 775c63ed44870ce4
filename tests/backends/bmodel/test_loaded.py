from __future__ import annotations

import numpy as np
import pytest

from tpuc.backends.bmodel import LoadedModel, read_bmodel, write_bmodel
from tpuc.errors import DataError
from tpuc.ir import DType, Graph, QuantType, Value


@pytest.fixture
def model(tmp_path):
    graph = Graph("bare", "tpu")
    x = Value("x", (4,), DType.SI8, QuantType(0.5, 1))
    y = Value("y", (2,))
    graph.add("Input", [], [x])
    graph.add("Input", [], [y])
    graph.outputs = [x, y]
    write_bmodel(tmp_path / "x", graph, chip="BM1684X")
    return LoadedModel(read_bmodel(tmp_path / "x"), lambda feeds, observe: feeds)


Y = np.ones(2, np.float32)


def test_stored_integers_pass_unchanged(model):
    stored = np.array([-128, 0, 1, 127], np.int8)
    results = model.run({"x": stored, "y": Y})
    assert results["x"].dtype == np.int8 and (results["x"] == stored).all()
    real = model.run({"x": stored, "y": Y}, dequantize=True)["x"]
    assert real.dtype == np.float32 and real.tolist() == [-64.5, -0.5, 0.0, 63.0]


def test_floats_are_quantized_half_away_from_zero(model):
    real = np.array([0.25, -0.25, 1e9, np.float32(-1e9)], np.float32)
    assert model.run({"x": real, "y": Y})["x"].tolist() == [2, 0, 127, -128]


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({"y": Y}, "'x' is missing"),
        ({"x": np.zeros(4, np.int8), "y": Y, "z": Y}, "no input is called 'z'"),
        ({"x": np.zeros(5, np.int8), "y": Y}, "shape is"),
        ({"x": np.zeros(4, np.int32), "y": Y}, "type is int32"),
        ({"x": np.zeros(4, np.complex64), "y": Y}, "type is complex64"),
    ],
)
def test_wrong_feeds(model, feeds, words):
    with pytest.raises(DataError, match=words):
        model.run(feeds)


def test_nan_is_refused(model):
    with pytest.raises(DataError, match="not finite"):
        model.run({"x": np.full(4, np.nan, np.float32), "y": Y})
