"""What a processor with shifts alone does otherwise, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.golden import networks
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError
from tpuc.lowering import lower
from tpuc.processors import load_processor

FACTS = Path(__file__).parents[2] / "conf" / "processor"


@pytest.fixture(scope="module")
def bm1684():
    return load_processor(yaml.safe_load((FACTS / "bm1684.yaml").read_text()))


def _lowered(golden, name, processor):
    return lower(golden(name), table_text.read(networks.table_file(name)), processor)


def test_one_shift_serves_a_whole_filter(golden, bm1684):
    graph = _lowered(golden, "resnet18", bm1684).graph
    for node in graph.nodes:
        if node.op == "Conv2D":
            assert len(set(node.attrs["rshift"])) == 1
            assert set(node.attrs["multiplier"]) == {1}
            assert node.inputs[2] is None or str(node.inputs[2].dtype) == "si16"


def test_a_wide_average_is_float_with_the_reason(golden, bm1684):
    lowered = _lowered(golden, "mobilenet_v3_small", bm1684)
    assert "its window has 256 numbers; at most 225 here" in lowered.reasons.values()


def test_facts_choose_the_form_not_the_name(golden, bm1684, bm1684x):
    mixed = replace(bm1684x, name="other", requant="shift_only")
    graph = _lowered(golden, "resnet18", mixed).graph
    average = next(n for n in graph.nodes if n.op == "Pool2D" and n.attrs["pool_mode"] == "Avg")
    assert (average.attrs["multiplier"], average.attrs["rshift"]) != (1, 2)  # 2 x 2: scaled
    assert {n.attrs["quant_mode"] for n in graph.nodes if n.op == "Conv2D"} == {"OnlyShift"}
    alone = replace(mixed, average="reciprocal")
    graph = _lowered(golden, "resnet18", alone).graph
    average = next(n for n in graph.nodes if n.op == "Pool2D" and n.attrs["pool_mode"] == "Avg")
    assert (average.attrs["multiplier"], average.attrs["rshift"]) == (1, 2)
    assert average.output.quant == average.inputs[0].quant


def test_an_op_without_an_int8_form_here_is_float(golden, bm1684x):
    without = replace(bm1684x, float_ops=("Add",))
    lowered = _lowered(golden, "resnet18", without)
    adds = [n for n in lowered.graph.nodes if n.op == "Add"]
    assert {str(n.output.dtype) for n in adds} == {"f16"}
    assert all(lowered.reasons[n.name] == "Add has no INT8 form on this processor" for n in adds)


def test_an_unknown_form_is_refused(golden, bm1684x):
    with pytest.raises(ConfigError, match="requant is guess; expected one of multiplier_shift"):
        _lowered(golden, "resnet18", replace(bm1684x, requant="guess"))
