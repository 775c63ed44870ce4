"""Ops of transformers and detectors: float equals onnxruntime, INT8 and F16 builds are near."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.onnx_models import build, expected, save, weights
from tests.lowering.transformer_ops import CASES
from tpuc.artifacts import CalibrationTable, Range
from tpuc.evaluation.metrics import cosine
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.simulator import Program

OPSET = 16  # the last in which reductions have their axes as attributes, but for LayerNormalization


def imported(name: str, folder) -> tuple[Graph, np.ndarray, np.ndarray]:
    body, data, shape = CASES[name]
    opset = 17 if "LayerNormalization" in body else OPSET
    model = build(body, data, opset, shape)
    x = weights(*shape, seed=3)
    graph = read_onnx(save(model, folder))
    canonicalize(graph)
    (wanted,) = expected(model, x)
    return graph, x, wanted


def table_of(graph: Graph, x: np.ndarray) -> CalibrationTable:
    """Largest magnitudes, as calibration=max."""
    found = run(graph, {"x": x}, observe="all")
    ranges = {}
    for name, array in found.items():
        most = max(float(np.abs(array).max()), 1e-5)
        ranges[name] = Range(most, float(array.min()), float(array.max()))
    return CalibrationTable(ranges)


@pytest.mark.parametrize("name", CASES)
def test_float_equals_onnxruntime(name, tmp_path):
    graph, x, wanted = imported(name, tmp_path)
    found = run(graph, {"x": x})[graph.outputs[0].name]
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(("mode", "least"), [("INT8", 0.99), ("F16", 0.9999), ("F32", 0.999999)])
@pytest.mark.parametrize("name", CASES)
def test_builds_are_near_float(name, mode, least, tmp_path, bm1684x):
    graph, x, wanted = imported(name, tmp_path)
    table = table_of(graph, x) if mode == "INT8" else None
    lowered = lower(graph, table, bm1684x, mode).graph
    found = Program(lowered).run({"x": x})[lowered.outputs[0].name]
    assert found.size == wanted.size
    assert cosine(wanted.astype(np.float32), found.reshape(wanted.shape)) > least
