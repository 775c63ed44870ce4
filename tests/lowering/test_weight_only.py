"""W8F16, W8BF16, W4F16, W4BF16: weights of MatMuls in groups, equal bit by bit to TPU-MLIR."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.golden import networks
from tests.golden.float8_cases import digest
from tests.golden.float_cases import made
from tests.golden.make_columns import network
from tpuc.backends.bmodel import read_bmodel, write_bmodel
from tpuc.errors import ConfigError
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import Groups, Lowerer, lower
from tpuc.processors import load_processor
from tpuc.simulator import Program, interpret

FOLDER = Path(__file__).parents[1] / "golden" / "weight_only"
BUILDS = sorted(p.stem for p in FOLDER.glob("W*.npz"))
FEEDS = {"x": made("x", (2, 5, 128))}


@pytest.fixture(scope="module")
def bm1684x():
    """All facts of the processor."""
    path = Path(__file__).parents[2] / "conf" / "processor" / "bm1684x.yaml"
    return load_processor(yaml.safe_load(path.read_text()))


def _build(name: str, processor):
    mode, size, symmetric = name.split("_")
    groups = Groups(int(size), symmetric == "True")
    graph = load_mlir(FOLDER / "net.mlir")
    return Lowerer(graph, processor, groups=groups).lower(None, mode)


def _expected(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as held:
        return {k: held[k] for k in held.files}


@pytest.mark.parametrize("name", BUILDS)
def test_products_are_tpu_mlirs(name, bm1684x):
    graph = _build(name, bm1684x).graph
    slow = interpret(graph, FEEDS)
    fast = Program(graph, 2).run(FEEDS, observe="all")
    for tensor, theirs in _expected(name).items():
        assert np.array_equal(slow[tensor].reshape(theirs.shape), theirs)
        assert np.array_equal(fast[tensor].reshape(theirs.shape), theirs)
    assert Program(graph).fallbacks == {}


COLUMNS = json.loads((FOLDER / "columns.json").read_text())


@pytest.mark.parametrize("build", list(COLUMNS))
def test_outputs_behind_whole_lanes_have_float_weights(build):
    """TPU-MLIR drops the fused relu of a product in BF16 builds; what it touches is left out."""
    mode, chip = build.split()
    path = Path(__file__).parents[2] / "conf" / "processor" / f"{chip}.yaml"
    processor = load_processor(yaml.safe_load(path.read_text()))
    graph = Lowerer(network(), processor, groups=Groups(64)).lower(None, mode).graph
    ops = {n.name: n.op for n in graph.nodes}
    kinds = [ops[n] for n in ("y16", "y64", "y100_0", "y100_1", "y100")]
    assert kinds == ["A16MatMul", "A16MatMul", "A16MatMul", "MatMul", "Concat"]
    lanes = {"bm1684x": 64, "bm1688": 32}[chip]
    widths = {v.name: v.shape[-1] for v in graph.values()}
    assert widths["y100_0"] == 100 - 100 % lanes
    slow, program = interpret(graph, FEEDS), Program(graph, 2)
    assert program.fallbacks == {}
    fast = program.run(FEEDS, observe="all")
    for tensor, known in COLUMNS[build].items():
        if mode.endswith("BF16") and tensor.startswith("y200") and tensor != "y200_1":
            continue
        assert digest(slow[tensor]) == digest(fast[tensor]) == known, tensor


def test_without_groups_no_output_is_set_apart(bm1684x):
    graph = Lowerer(network(), bm1684x, groups=Groups(0)).lower(None, "W8F16").graph
    assert {n.op for n in graph.nodes} == {"Input", "Cast", "A16MatMul", "Relu"}


def test_every_type_and_form_of_groups_is_in_the_fixture():
    assert {b.split("_")[0] for b in BUILDS} == {"W8F16", "W8BF16", "W4F16", "W4BF16"}
    assert {tuple(b.split("_")[1:]) for b in BUILDS} >= {("0", "False"), ("32", "True")}


def test_four_bits_take_half_a_byte_in_a_bmodel_and_run_the_same(bm1684x, tmp_path):
    sizes = []
    for name in ("W8F16_64_False", "W4F16_64_False"):
        graph = _build(name, bm1684x).graph
        path = tmp_path / f"{name}.bmodel"
        write_bmodel(path, graph, chip=bm1684x.chip)
        out = graph.outputs[0].name
        again = Program(read_bmodel(path).graph).run(FEEDS)[out]
        assert np.array_equal(again, Program(graph).run(FEEDS)[out])
        sizes.append(path.stat().st_size)
    weights = 128 * 128 + 128 * 16
    assert abs(sizes[0] - sizes[1] - weights / 2) < 4096  # weights begin at whole pages


def test_what_groups_do_not_divide_stays_float_and_says_why(bm1684x):
    lowerer = Lowerer(load_mlir(FOLDER / "net.mlir"), bm1684x, groups=Groups(96))
    lowered = lowerer.lower(None, "W8F16")
    ops = {n.name: n.op for n in lowered.graph.nodes}
    assert sorted(op for op in ops.values() if op.endswith("MatMul")) == ["MatMul", "MatMul"]
    why = "128 terms are no multiple of quantize.q_group_size=96"
    assert lowered.reasons == {"hidden_Relu": why, "y_MatMul": why}


@pytest.mark.parametrize(("mode", "error"), [("W8F16", 2e-2), ("W4F16", 3e-1)])
def test_weights_that_are_all_the_same_are_no_trap(mode, error, bm1684x):
    graph = load_mlir(FOLDER / "net.mlir")
    weight = next(n for n in graph.nodes if n.op == "MatMul").inputs[1]
    weight.data = np.zeros_like(weight.data)
    y = Program(lower(graph, None, bm1684x, mode).graph).run(FEEDS, observe=["hidden_Relu"])
    bias = np.maximum(made("hidden_b", (128,)), 0)
    assert np.abs(y["hidden_Relu"] - bias).max() < error


def test_convolutions_are_f16_in_such_a_build(golden, bm1684x):
    lowered = lower(golden("resnet18"), None, bm1684x, "W8F16").graph
    ops = [n.op for n in lowered.nodes]
    assert ops.count("A16MatMul") == 1
    assert all(n.output.dtype == "f16" for n in lowered.nodes if n.op == "Conv2D")
    x = {"input": networks.sample(0)}
    out = lowered.outputs[0].name
    plain = lower(golden("resnet18"), None, bm1684x, "F16").graph
    theirs = Program(plain).run(x)[plain.outputs[0].name]
    assert np.abs(Program(lowered).run(x)[out] - theirs).max() < 0.02 * np.abs(theirs).max()


def test_a_processor_without_the_type_says_what_it_has(bm1684x):
    poor = replace(bm1684x, name="poor", modes=("INT8", "F32"))
    with pytest.raises(ConfigError, match="poor has no W4F16; it has INT8, F32"):
        lower(load_mlir(FOLDER / "net.mlir"), None, poor, "W4F16")
