"""A Tile before arithmetic that broadcasts goes; others stay."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.onnx_models import build, constants, expected, save, weights
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph
from tpuc.passes import canonicalize

SHAPE = (1, 4, 8)
BODY = "n = ReduceMean<axes=[2]>(x) e = Expand(n, s) "


def imported(body: str, folder) -> tuple[Graph, np.ndarray]:
    model = build(BODY + body, constants(s=SHAPE), 13, SHAPE)
    graph = read_onnx(save(model, folder))
    canonicalize(graph)
    (wanted,) = expected(model, weights(*SHAPE))
    return graph, wanted


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "Min"])
@pytest.mark.parametrize("operands", ["x, e", "e, x"])
def test_it_goes_before_arithmetic(op, operands, tmp_path):
    graph, wanted = imported(f"y = {op}({operands})", tmp_path)
    assert "Tile" not in [n.op for n in graph]
    found = run(graph, {"x": weights(*SHAPE)})[graph.outputs[0].name]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        "y = Div(x, e)",
        "m = Mul(x, e) r = ReduceSum<keepdims=0>(e) y = Add(m, r)",  # someone else needs it
        "f = Exp(n) g = Expand(f, s) y = Mul(e, g)",  # one of both gives the shape
    ],
)
def test_it_stays_where_it_is_needed(body, tmp_path):
    graph, wanted = imported(body, tmp_path)
    assert [n.op for n in graph].count("Tile") == 1
    found = run(graph, {"x": weights(*SHAPE)})[graph.outputs[0].name]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
