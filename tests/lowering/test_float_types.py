"""Types of every op in F16 and BF16 builds, and mixes by a quantize table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.golden import networks
from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError, TableError
from tpuc.execute import run
from tpuc.lowering import lower
from tpuc.simulator import Program

FILES = sorted(networks.FOLDER.glob("*_types.json"))


@pytest.mark.parametrize("mode", ["F16", "BF16"])
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_ops_and_types_of_float_builds_are_tpu_mlirs(file, mode, golden, bm1684x):
    name = file.stem.removesuffix("_types")
    theirs = {k: tuple(v) for k, v in json.loads(file.read_text())[mode].items()}
    lowered = lower(golden(name), None, bm1684x, mode).graph
    ours = {n.name: (n.op, n.output.dtype.value) for n in lowered.nodes if n.op != "Input"}
    assert ours == theirs


@pytest.mark.parametrize(("mode", "error"), [("F32", 1e-5), ("F16", 2e-2), ("BF16", 2e-1)])
def test_float_builds_are_near_float(mode, error, golden, bm1684x):
    graph = golden("mobilenet_v3_small")
    x = {"input": networks.sample(0)}
    expected = run(graph, x)[graph.outputs[0].name]
    lowered = lower(graph, None, bm1684x, mode).graph
    got = Program(lowered).run(x)[lowered.outputs[0].name]
    assert np.abs(got - expected).max() < error * np.abs(expected).max()


def test_a_quantize_table_mixes_types_with_casts_where_they_meet(golden, bm1684x):
    graph = golden("resnet18")
    table = table_text.read(networks.table_file("resnet18"))
    chosen = "/layer1/layer1.0/relu/Relu_output_0_Relu"
    choices = QuantizeTable({chosen: Choice("F16", "a test")})
    lowered = lower(graph, table, bm1684x, "INT8", choices)
    by_name = {n.name: n for n in lowered.graph.nodes}
    assert by_name[chosen].output.dtype == "f16"
    assert f"/maxpool/MaxPool_output_0_MaxPool{chosen}_f16" in by_name
    after = "/layer1/layer1.0/conv2/Conv_output_0_Conv"
    assert by_name[f"{chosen}{after}_ui8"].op == "Cast"
    assert lowered.reasons == {chosen: "a test"}
    x = {"input": networks.sample(0)}
    mixed = Program(lowered.graph).run(x)
    assert np.isfinite(mixed[lowered.graph.outputs[0].name]).all()


def test_int8_needs_a_table(golden, bm1684x):
    with pytest.raises(ConfigError, match="needs a calibration table"):
        lower(golden("resnet18"), None, bm1684x, "INT8")


def test_unknown_names_and_modes_are_refused(golden, bm1684x):
    table = table_text.read(networks.table_file("resnet18"))
    with pytest.raises(TableError, match="no op 'nope'"):
        lower(golden("resnet18"), table, bm1684x, "INT8", QuantizeTable({"nope": Choice("F16")}))
    with pytest.raises(ConfigError, match="bm1684x has no INT4"):
        lower(golden("resnet18"), table, bm1684x, "INT4")


def test_an_op_without_a_range_stays_f32_and_says_why(golden, bm1684x):
    table = table_text.read(networks.table_file("resnet18"))
    missing = "/layer1/layer1.0/relu/Relu_output_0_Relu"
    partial = CalibrationTable({k: v for k, v in table.ranges.items() if k != missing})
    lowered = lower(golden("resnet18"), partial, bm1684x)
    types = {n.name: n.output.dtype for n in lowered.graph.nodes}
    assert types[missing] == "f32"
    assert "no calibration entry" in lowered.reasons[missing]
