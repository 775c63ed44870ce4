"""Every op that has instructions, against the reference."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.backends.bm1684x.cases import CASES, feeds_of, together
from tests.backends.bm1684x.running import run_here, run_there
from tpuc.backends.bm1684x import compile_graph, why_not
from tpuc.backends.bmodel import read_bmodel, write_bmodel
from tpuc.simulator import Program


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_instructions_give_the_bits_of_the_reference(name: str, in_parts: bool) -> None:
    graph = CASES[name]()
    assert why_not(graph) is None
    feeds = feeds_of(graph)
    expected = Program(graph).run(feeds, raw=True)
    compiled = compile_graph(graph, in_parts)
    for first in ("dma", "tiu"):
        found = run_here(graph, compiled, feeds, first)
        for value in graph.outputs:
            np.testing.assert_array_equal(found[value.name], expected[value.name])


def test_streams_are_the_same_each_time() -> None:
    names = list(CASES)[:6]
    one, two = (compile_graph(together(names)) for _ in range(2))
    assert (one.tiu, one.dma, one.coefficients) == (two.tiu, two.dma, two.coefficients)


@pytest.mark.vendor
@pytest.mark.skipif("TPUC_VENDOR" not in os.environ, reason="TPUC_VENDOR is not set")
@pytest.mark.parametrize("in_parts", [False, True])
def test_the_chip_simulator_agrees(tmp_path, in_parts: bool) -> None:
    graph = together(list(CASES))
    feeds = feeds_of(graph)
    path = tmp_path / "cases.bmodel"
    write_bmodel(path, graph, chip="BM1684X", native=compile_graph(graph, in_parts))
    assert read_bmodel(path).graph.name == graph.name
    found = run_there(path, graph, feeds)
    expected = Program(graph).run(feeds, raw=True)
    assert {n for n, y in found.items() if not np.array_equal(y, expected[n])} == set()
