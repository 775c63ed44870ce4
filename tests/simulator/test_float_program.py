"""Compiled float and mixed networks: near the reference, and the same bits however they run."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import networks
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.ir import Graph
from tpuc.lowering import lower
from tpuc.simulator import Program, interpret

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module", params=["F32", "F16", "BF16", "mixed"])
def graph(golden, bm1684x, request: pytest.FixtureRequest) -> Graph:
    if request.param != "mixed":
        return lower(golden(NAME), None, bm1684x, request.param).graph
    top = golden(NAME)
    every_third = [n.name for n in top.nodes if n.op != "Input"][::3]
    table = QuantizeTable({name: Choice("F16") for name in every_third})
    return lower(top, table_text.read(networks.table_file(NAME)), bm1684x, "INT8", table).graph


def test_results_are_near_the_reference(graph: Graph) -> None:
    feeds = {"input": networks.sample(0)}
    expected = interpret(graph, feeds)
    found = Program(graph, 2).run_raw(feeds, "all")
    for name, array in expected.items():
        a, b = found[name].astype(np.float64).ravel(), array.astype(np.float64).ravel()
        norm = float(np.linalg.norm(a) * np.linalg.norm(b))
        assert np.array_equal(a, b) or a @ b / norm > 0.999, name


def test_threads_and_batches_do_not_change_a_bit(graph: Graph) -> None:
    feeds = {"input": np.concatenate([networks.sample(i) for i in range(3)])}
    together = Program(graph, 2).run_raw(feeds, "all")
    for i in range(3):
        alone = Program(graph, 1).run_raw({"input": networks.sample(i)}, "all")
        for name, array in alone.items():
            np.testing.assert_array_equal(together[name][i : i + 1], array, err_msg=name)


def test_convolutions_have_kernels(graph: Graph) -> None:
    left = {n.op for n in graph.nodes if n.name in Program(graph).fallbacks}
    assert not left & {"Conv2D", "MatMul", "Add", "Mul", "Pool2D", "Relu", "Clip"}
