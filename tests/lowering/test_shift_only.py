"""What a processor with shifts alone does otherwise, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.golden import networks
from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError
from tpuc.ir import Graph, Value, with_defaults
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


def _constant(op, const, threshold, processor):
    graph = Graph("net", "top")
    x = Value("x", (1, 4, 2, 2))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    out = Value("y", (1, 4, 2, 2))
    attrs = {"const_val": const} | ({"is_reverse": True} if op == "SubConst" else {})
    graph.add(op, [x], [out], with_defaults(op, attrs))
    graph.outputs = [out]
    ranges = {"x": Range(2.0, -2.0, 2.0), "y": Range(threshold, -threshold, threshold)}
    return lower(graph, CalibrationTable(ranges), processor)


def test_a_sum_with_a_constant_has_a_small_word(bm1684):
    """r = floor(log2(127 / (2 / 3))) = 7; m = round(2**7 * 2 / 3); K = round(1.5 * 2**7 / s)."""
    node = _constant("AddConst", 1.5, 3.0, bm1684).graph.outputs[0].producer.inputs[0].producer
    assert (node.op, node.attrs["multiplier"], node.attrs["rshift"]) == ("AddConst", 85, 7)
    assert node.attrs["const_val"] == round(1.5 * 2**7 / (3.0 / 127))


@pytest.mark.parametrize("threshold", [1.9, 2.5])
def test_a_difference_is_float_if_its_operand_reaches_further(threshold, bm1684, bm1684x):
    for processor in (bm1684, bm1684x):
        lowered = _constant("SubConst", 1.5, threshold, processor)
        reasons = {"y": "an operand reaches further than the difference"}
        assert lowered.reasons == (reasons if threshold < 2 else {})
