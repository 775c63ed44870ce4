"""INT8 with zero points: every tensor is TPU-MLIR's, on the reference and on the C kernels."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tests.golden.weights import made_input
from tpuc.artifacts import CalibrationTable, Range
from tpuc.calibration import Options, calibrate
from tpuc.calibration import table as table_text
from tpuc.errors import ConfigError
from tpuc.ir import Graph, Value, with_defaults
from tpuc.ir.text_parse import load_mlir
from tpuc.kernels.casts import to_float32
from tpuc.lowering import float_twin, lower
from tpuc.numerics.qparams import choose_qparams
from tpuc.processors import load_processor
from tpuc.simulator import FloatEngine, Program
from tpuc.simulator.interpreter import interpret

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
KNOWN = {p.stem: json.loads(p.read_text()) for p in sorted((GOLDEN / "asymmetric").glob("*.json"))}
BUILDS = [(p, n) for p in sorted(set(KNOWN) - {"operators", "part"}) for n in KNOWN[p]]
# Nearest with half pixels: TPU-MLIR's differs from onnxruntime's, ours does not
NOT_COMPARED = {"rsz2_o_Resize", "rsz2_o_Resize_f32"}


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()[:16]


def _processor(name):
    return load_processor(yaml.safe_load((ROOT / f"conf/processor/{name}.yaml").read_text()))


def _wrong(graph, feeds, expected):
    """Tensors that differ on the compiled program, and on the reference."""
    found = Program(graph, 2).run(feeds, observe="all")
    stored = interpret(graph, feeds)
    values = {v.name: v for v in graph.values()}
    names = [k for k in expected if k not in NOT_COMPARED]
    slow = [k for k in names if _digest(to_float32(stored[k], values[k])) != expected[k]]
    return [k for k in names if _digest(found[k]) != expected[k]], slow


@pytest.mark.parametrize(("processor", "name"), BUILDS)
def test_every_tensor_of_a_network_is_tpu_mlirs(processor, name, golden):
    table = table_text.read(networks.table_file(name))
    graph = lower(golden(name), table, _processor(processor), asymmetric=True).graph
    assert any(v.quant is not None and v.quant.zero_point for v in graph.values())
    assert Program(graph, 2).fallbacks == {}
    assert _wrong(graph, {"input": networks.sample(0)}, KNOWN[processor][name]) == ([], [])


@pytest.mark.parametrize("name", ["common", "rare"])
def test_every_kind_of_op_is_tpu_mlirs(name):
    known = KNOWN["operators"][name]
    graph = load_mlir(GOLDEN / "operators" / f"{name}.mlir")
    table, processor = table_text.parse(known["table"]), _processor("bm1684x")
    lowered = lower(graph, table, processor, asymmetric=True).graph
    feeds = {"x": made_input(0, (1, 3, 16, 16)) * 4 - 2}
    assert len(known["tensors"]) > 100
    assert _wrong(lowered, feeds, known["tensors"]) == ([], [])


def test_tensors_that_the_table_names_have_zero_points_in_a_symmetric_build(golden):
    known, graph = KNOWN["part"], golden("efficientnet_b0")
    table = table_text.parse(known["table"])
    lowered = lower(graph, table, _processor("bm1684x")).graph
    affine = {v.name for v in lowered.values() if v.quant is not None and v.quant.zero_point}
    assert affine and affine < set(table.asym_ops)
    assert _wrong(lowered, {"input": networks.sample(0)}, known["tensors"]) == ([], [])


def test_calibration_finds_those_tensors_and_their_percentiles_as_tpu_mlir(golden):
    graph, theirs = golden("efficientnet_b0"), table_text.parse(KNOWN["part"]["table"])
    batches = [{"input": networks.sample(i)} for i in range(4)]
    options = Options(("kl",), 4, part_asymmetric=True)
    ours = calibrate(graph, FloatEngine(float_twin(graph), 2), batches, options).tables["kl"]
    assert ours.asym_ops == theirs.asym_ops
    assert table_text.parse(table_text.to_text(ours)).asym_ops == theirs.asym_ops
    kinds = {n.name: n.op for n in graph.nodes}
    names = [n for n in theirs.asym_ops if kinds[n] == "SiLU"]
    assert len(names) == 32
    for name in names:
        a, b = ours.ranges[name], theirs.ranges[name]
        np.testing.assert_allclose((a.threshold, a.min, a.max), (b.threshold, b.min, b.max), 2e-6)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [(-1.0, 3.0, 4 / 255, -64), (0.0, 5.1, 0.02, 0), (2.0, 5.1, 0.02, 0), (-2.55, -1.0, 0.01, 127)],
)
def test_zero_is_a_number_of_the_type(low, high, scale, zero):
    _, quant = choose_qparams(low, high, True)
    assert (quant.scale, quant.zero_point) == (pytest.approx(scale), zero)


@pytest.mark.parametrize("name", ["bm1684", "cv183x"])
def test_a_processor_without_zero_points_says_so(name, golden, bm1684x):
    table = table_text.read(networks.table_file("resnet18"))
    facts = replace(bm1684x, name=name, asymmetric=_processor(name).asymmetric)
    with pytest.raises(ConfigError, match=f"quantize.asymmetric: {name} has no zero points"):
        lower(golden("resnet18"), table, facts, asymmetric=True)
    with pytest.raises(ConfigError, match="section #asym_op"):
        lower(golden("resnet18"), replace(table, asym_ops=("x",)), facts)


def test_numbers_written_and_compared_have_the_zero_point_too():
    graph = Graph("write", "top")
    x, written, above = Value("x", (1, 4)), Value("written", (1, 4)), Value("above", (1, 4))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    places = Value("places", (1, 1, 2), data=np.array([[[0, 1]]], np.float32))
    number = Value("number", (1, 1), data=np.array([[2.0]], np.float32))
    graph.add("ScatterND", [x, places, number], [written], with_defaults("ScatterND", {}))
    attrs = {"const_val": 1.5, "mode": "Greater"}
    graph.add("CompareConst", [x], [above], with_defaults("CompareConst", attrs))
    graph.outputs = [written, above]
    table = CalibrationTable({n: Range(3.0, -1.0, 3.0) for n in ("x", "written")})
    table.ranges["above"] = Range(1.0, 0.0, 1.0)
    lowered = lower(graph, table, _processor("bm1684x"), asymmetric=True).graph
    assert lowered.find("written").producer.activations[0].quant.zero_point
    found = Program(lowered).run({"x": np.array([[-1.0, 0.0, 1.0, 3.0]], np.float32)})
    np.testing.assert_allclose(found[lowered.outputs[0].name], [[-1, 2, 1, 3]], atol=0.02)
    np.testing.assert_array_equal(found[lowered.outputs[1].name] > 0.5, [[0, 0, 0, 1]])
