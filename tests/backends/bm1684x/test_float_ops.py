"""Every float op that has instructions, against the simulator."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.backends.bm1684x.float_cases import every, feeds_of, most_units, together
from tests.backends.bm1684x.running import run_here, run_there
from tpuc.backends.bm1684x import compile_graph, why_not
from tpuc.backends.bmodel import write_bmodel
from tpuc.simulator import Program


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("name", every())
def test_instructions_give_the_numbers_of_the_simulator(name: str, in_parts: bool) -> None:
    graph = every()[name]()
    assert why_not(graph) is None
    feeds = feeds_of(graph)
    expected = Program(graph).run(feeds, raw=True)
    compiled = compile_graph(graph, in_parts)
    runs = [run_here(graph, compiled, feeds, first) for first in ("dma", "tiu")]
    (output,) = graph.outputs
    np.testing.assert_array_equal(runs[0][output.name], runs[1][output.name])
    found, most = most_units(name, runs[0][output.name], expected[output.name])
    assert found <= most


@pytest.mark.vendor
@pytest.mark.skipif("TPUC_VENDOR" not in os.environ, reason="TPUC_VENDOR is not set")
@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("first", range(6))
def test_the_chip_simulator_agrees(tmp_path, in_parts: bool, first: int) -> None:
    names = list(every())[first::6]  # all at once take many minutes
    graph = together(names)
    feeds = feeds_of(graph)
    path = tmp_path / "cases.bmodel"
    write_bmodel(path, graph, chip="BM1684X", native=compile_graph(graph, in_parts))
    found = run_there(path, graph, feeds)
    expected = Program(graph).run(feeds, raw=True)
    far = {}
    for name, output in zip(names, graph.outputs):
        difference, most = most_units(name, found[output.name], expected[output.name])
        if difference > most:
            far[name] = difference
    assert not far
