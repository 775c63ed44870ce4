"""A bmodel file gives what the graph it was written from gives."""

from __future__ import annotations

import numpy as np
import pytest

import tpuc
from tests.golden import networks
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.backends.bmodel import write_bmodel
from tpuc.calibration import table as table_text
from tpuc.lowering import lower
from tpuc.simulator import Program


@pytest.fixture(scope="module")
def built(golden, bm1684x, tmp_path_factory):
    """A mixed INT8/F16 network as graph and as file."""
    graph = golden("resnet18")
    table = table_text.read(networks.table_file("resnet18"))
    chosen = [n.name for n in graph.nodes if n.op == "Conv"][3]
    choices = QuantizeTable({chosen: Choice("F16")})
    lowered = lower(graph, table, bm1684x, "INT8", choices).graph
    path = tmp_path_factory.mktemp("bmodel") / "net.bmodel"
    write_bmodel(path, lowered, chip=bm1684x.chip)
    return lowered, path


@pytest.mark.parametrize("dequantize", [True, False])
def test_every_tensor_is_the_simulations(built, dequantize):
    lowered, path = built
    x = {"input": networks.sample(0)}
    expected = Program(lowered).run(x, observe="all", raw=not dequantize)
    found = tpuc.load(path).run(x, observe="all", dequantize=dequantize)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_one_tensor_may_be_asked_for_by_name(built):
    lowered, path = built
    name = lowered.nodes[4].name
    found = tpuc.load(path).run({"input": networks.sample(0)}, observe=name)
    assert set(found) == {name, lowered.outputs[0].name}
