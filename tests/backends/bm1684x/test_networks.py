"""Whole networks: tensors that stay in local memory, and what does not fit there."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.backends.bm1684x.running import run_here, run_there
from tests.golden import networks
from tpuc.backends.bm1684x import compile_graph, decode_stream, why_not
from tpuc.backends.bmodel import write_bmodel
from tpuc.calibration import table as table_text
from tpuc.ir import Graph
from tpuc.lowering import lower
from tpuc.simulator import Program


@pytest.fixture(scope="module")
def lowered(golden, bm1684x):
    def build(name: str) -> Graph:
        table = table_text.read(networks.table_file(name))
        return lower(golden(name), table, bm1684x).graph

    return build


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_networks_give_the_bits_of_the_simulator(lowered, name: str) -> None:
    graph = lowered(name)
    feeds = {"input": networks.sample(0)}
    expected = Program(graph).run(feeds, raw=True)
    for in_parts in (False, True):
        found = run_here(graph, compile_graph(graph, in_parts), feeds)
        for output, array in found.items():
            np.testing.assert_array_equal(array, expected[output])


def test_what_stays_in_local_memory_is_neither_stored_nor_loaded(lowered) -> None:
    graph = lowered("mobilenet_v2")
    kept, parts = (compile_graph(graph, in_parts) for in_parts in (False, True))
    stores = [_stores(c.dma) for c in (kept, parts)]
    assert stores[0] <= 6 and stores[1] > 60  # casts and the product; every op


def _stores(dma: bytes) -> int:
    return sum(1 for c in decode_stream(dma, "dma") if c["r_high"])


@pytest.mark.vendor
@pytest.mark.skipif("TPUC_VENDOR" not in os.environ, reason="TPUC_VENDOR is not set")
@pytest.mark.parametrize("name", networks.NAMES)
def test_the_chip_simulator_agrees(lowered, tmp_path, name: str) -> None:
    graph = lowered(name)
    if why_not(graph) is not None:
        pytest.skip(why_not(graph).reason)
    write_bmodel(tmp_path / "x.bmodel", graph, chip="BM1684X", native=compile_graph(graph))
    feeds = {"input": networks.sample(1)}
    found = run_there(tmp_path / "x.bmodel", graph, feeds)
    expected = Program(graph).run(feeds, raw=True)
    assert all(np.array_equal(found[v.name], expected[v.name]) for v in graph.outputs)
