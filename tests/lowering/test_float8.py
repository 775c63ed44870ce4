"""8-bit floats: every tensor is TPU-MLIR's, on the reference and on the C kernels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tests.golden.float8_cases import FOLDER, MODES, NETWORKS, cases, digest
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.backends.bmodel import write_bmodel
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError
from tpuc.ir import DType
from tpuc.kernels.casts import to_float32
from tpuc.lowering import float_twin, lower
from tpuc.pipeline.loading import load
from tpuc.processors import load_processor
from tpuc.simulator import FloatEngine, Program
from tpuc.simulator.interpreter import interpret

ROOT = Path(__file__).parents[2]
KNOWN = json.loads((FOLDER / "networks.json").read_text())
SINGLE = json.loads((FOLDER / "operators.json").read_text())
CASES = {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def bm1690():
    return load_processor(yaml.safe_load((ROOT / "conf/processor/bm1690.yaml").read_text()))


def _table(name):
    return table_text.read(FOLDER / "tables" / name)


def _wrong(graph, feeds, expected):
    """Tensors that differ from TPU-MLIR's, on the C kernels and on the reference."""
    found, stored = Program(graph, 2).run(feeds, observe="all"), interpret(graph, feeds)
    values = {v.name: v for v in graph.values()}
    slow = {k: to_float32(stored[k], values[k]) for k in expected}
    return [k for k, d in expected.items() if digest(found[k]) != d or digest(slow[k]) != d]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("build", ["F8E4M3 unlimited", "F8E5M2"])
def test_every_tensor_is_tpu_mlirs(build, name, golden, bm1690):
    mode = build.split()[0]
    graph = lower(golden(name), _table(name), bm1690, mode).graph
    assert Program(graph, 2).fallbacks == {}
    assert {v.dtype for v in graph.values()} == {DType.F32, DType[mode]}
    assert _wrong(graph, {"input": networks.sample(0)}, KNOWN[build][name]) == []


def test_with_limits_on_scaled_sums_every_tensor_is_that_of_tpu_mlirs_own_program(golden, bm1690):
    """Which cuts everything: its limit of 6 is meant for numbers, not for sums of them."""
    top, expected = golden("mobilenet_v2"), KNOWN["F8E4M3"]["mobilenet_v2"]
    limits = {n.name: n.attrs["relu_limit"] for n in top.nodes if n.op == "Conv"}
    graph = lower(top, _table("mobilenet_v2"), bm1690, "F8E4M3").graph
    feeds = {"input": networks.sample(0)}
    right = Program(graph, 2).run(feeds)
    for node in graph.nodes:
        if node.op == "Conv2D" and node.attrs["do_relu"]:
            node.attrs["relu_limit"] = limits[node.name]
    assert _wrong(graph, feeds, expected) == []
    cut, float_ = Program(graph, 2).run(feeds), FloatEngine(float_twin(top), 2).run(feeds)
    (ours,), (theirs,), (wanted,) = right.values(), cut.values(), float_.values()
    similar = [np.corrcoef(x.ravel(), wanted.ravel())[0, 1] for x in (ours, theirs)]
    assert similar[0] > 0.9
    assert similar[1] < 0.3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(CASES))
def test_every_kind_of_op_is_tpu_mlirs(mode, name, bm1690):
    case = CASES[name]
    if mode == "F8E5M2" and name.endswith(" relu"):
        pytest.skip("TPU-MLIR drops the relu of a product in F8E5M2")
    table = table_text.parse(case.table)
    assert table.fp8
    graph = lower(case.graph, table, bm1690, mode).graph
    assert _wrong(graph, case.feeds, SINGLE[name][mode]) == []


@pytest.mark.parametrize("mode", MODES)
def test_the_bmodel_gives_the_same(mode, golden, bm1690, tmp_path):
    graph = lower(golden("resnet18"), _table("resnet18"), bm1690, mode).graph
    feeds = {"input": networks.sample(0)}
    write_bmodel(tmp_path / "net.bmodel", graph, chip="BM1690")
    assert (tmp_path / "net.bmodel").stat().st_size < 1.1 * sum(
        v.size for n in graph.nodes for v in n.inputs if v is not None and v.is_weight
    )
    loaded = load(tmp_path / "net.bmodel").run(feeds, observe="all", dequantize=True)
    direct = Program(graph, 2).run(feeds, observe="all")
    assert len(direct) > 30
    for name, array in direct.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("name", NETWORKS)
def test_calibration_finds_the_same_thresholds(name, golden):
    batches = networks.calibration_batches(4)
    graph, theirs = golden(name), _table(name)
    options = Options(("max",), 4, eight_bit_floats=True)
    ours = calibrate(graph, FloatEngine(float_twin(graph), 2), batches, options).tables["max"]
    assert ours.ranges == theirs.ranges
    rows = [table_text.to_text(t).splitlines()[3:] for t in (ours, theirs)]
    assert rows[0] == rows[1]
    assert "#tpu-mlir-fp8 caliration table" in table_text.to_text(ours)


def test_single_ops_can_be_floats(golden, bm1690):
    graph, table = golden("resnet18"), _table("resnet18")
    names = [n.name for n in graph.nodes if n.op == "Conv"]
    choices = QuantizeTable({names[3]: Choice("F16"), names[7]: Choice("F32")})
    low = lower(graph, table, bm1690, "F8E4M3", choices)
    kinds = {v.name: v.dtype for v in low.graph.values()}
    assert (kinds[names[3]], kinds[names[7]]) == (DType.F16, DType.F32)
    feeds = {"input": networks.sample(0)}
    (mixed,) = Program(low.graph, 2).run(feeds).values()
    (whole,) = Program(lower(graph, table, bm1690, "F8E4M3").graph, 2).run(feeds).values()
    (exact,) = FloatEngine(float_twin(graph), 2).run(feeds).values()
    error = [np.linalg.norm(x - exact) / np.linalg.norm(exact) for x in (mixed, whole)]
    assert max(error) < 0.2


def test_what_is_missing_is_said(golden, bm1690, bm1684x):
    graph, table = golden("resnet18"), _table("resnet18")
    with pytest.raises(ConfigError, match="bm1684x has no F8E4M3; it has INT8, F16"):
        lower(graph, table, bm1684x, "F8E4M3")
    with pytest.raises(ConfigError, match="F8E4M3 needs a calibration table"):
        lower(graph, None, bm1690, "F8E4M3")
    choices = QuantizeTable({graph.nodes[1].name: Choice("F8E5M2")})
    with pytest.raises(ConfigError, match="F8E5M2 in a build of F8E4M3"):
        lower(graph, table, bm1690, "F8E4M3", choices)
