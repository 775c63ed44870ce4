"""Builds of transformers and detectors have TPU-MLIR's ops, types and tensors, bit for bit."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.golden import transformers
from tests.golden.transformers import FOLDER, NAMES
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.errors import Skip
from tpuc.frontend import read_onnx
from tpuc.ir import Graph
from tpuc.ir.batch import with_batch
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.processors import Processor
from tpuc.search import qtable as qtable_file
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret

MODES = ("INT8", "F16", "BF16")
BUILDS = [(n, m) for n in NAMES for m in MODES] + [(n, "MIXED") for n in transformers.MIXED]
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transformers")


@cache
def _graph(name: str, folder: Path) -> Graph:
    graph = read_onnx(transformers.onnx_file(name, folder))
    canonicalize(graph)
    return graph


def _lowered(
    name: str, mode: str, folder: Path, chip: Processor, chosen: QuantizeTable | None = None
) -> Graph:
    graph = _graph(name, folder)
    if mode == "MIXED":
        ops = [n.name for n in graph.nodes if n.op != "Input"]
        mode, chosen = "INT8", qtable_file.parse(transformers.qtable(ops))
    table = table_text.read(FOLDER / f"{name}_cali_table") if mode == "INT8" else None
    return lower(graph, table, chip, mode, chosen).graph


def _feeds(name: str, graph: Graph) -> dict[str, np.ndarray]:
    given = transformers.sample(name, 1)
    return {v.name: given[v.name].astype(v.dtype.numpy) for v in graph.inputs}


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


@pytest.mark.parametrize(("name", "mode"), BUILDS)
def test_ops_and_types_are_tpu_mlirs(name, mode, folder, bm1684x):
    graph = _lowered(name, mode, folder, bm1684x)
    ours = {n.name: [n.op, n.output.dtype.value] for n in graph.nodes if n.op != "Input"}
    assert ours == transformers.types(name, mode)


@pytest.mark.parametrize(("name", "mode"), BUILDS)
def test_every_tensor_is_tpu_mlirs(name, mode, folder, bm1684x):
    graph = _lowered(name, mode, folder, bm1684x)
    stored = interpret(graph, _feeds(name, graph))
    values = {v.name: v for v in graph.values()}
    expected = transformers.digests(name, mode)
    assert set(expected) <= set(stored)
    wrong = [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d]
    assert wrong == []


def test_attention_whose_powers_vanish_is_tpu_mlirs(folder, bm1684x, tmp_path):
    """Powers below the least normal float32 are 0, and so is what has no other."""
    (tmp_path / "table").write_text(transformers.wide_table())
    graph = lower(_graph("bert", folder), table_text.read(tmp_path / "table"), bm1684x).graph
    stored = interpret(graph, _feeds("bert", graph))
    heads = [n for n in graph.nodes if n.op == "Attention"]
    empty = [(stored[n.name] == stored[n.name][:, :1]).all(-1).mean() for n in heads]
    assert max(empty) == 1.0 and min(empty) < 1.0
    values = {v.name: v for v in graph.values()}
    expected = transformers.digests("bert_wide", "INT8")
    wrong = [k for k, d in expected.items() if _digest(to_float32(stored[k], values[k])) != d]
    assert wrong == []
    fast = Program(graph).run(_feeds("bert", graph), observe="all")
    for name, array in stored.items():
        assert np.array_equal(fast[name], to_float32(array, values[name])), name


@pytest.mark.parametrize(("name", "mode"), [b for b in BUILDS if b[1] != "BF16"])
def test_the_compiled_program_equals_the_reference(name, mode, folder, bm1684x):
    graph = _lowered(name, mode, folder, bm1684x)
    feeds = _feeds(name, graph)
    stored = interpret(graph, feeds)
    found = Program(graph, 2).run_raw(feeds, observe="all")
    for key, array in found.items():
        np.testing.assert_array_equal(array, stored[key].reshape(array.shape), err_msg=key)


def test_attention_is_one_op_whatever_the_table_says_of_those_inside(folder, bm1684x):
    softmax = "/layers.0/a/Softmax_output_0_Softmax"
    chosen = QuantizeTable({softmax: Choice("F32", "a test")})
    table = table_text.read(FOLDER / "bert_cali_table")
    lowered = lower(_graph("bert", folder), table, bm1684x, "INT8", chosen)
    fused = {n.name for n in lowered.graph.nodes if n.op == "Attention"}
    assert fused == {f"/layers.{k}/a/o/Add_output_0_Add_head_{i}" for k in (0, 1) for i in (0, 1)}
    assert softmax in lowered.reasons["/layers.0/a/o/Add_output_0_Add"]


@pytest.mark.parametrize("case", transformers.inside_tables())
def test_attention_has_the_type_of_its_last_product(case, folder, bm1684x):
    """Whatever a quantize table says of the ops inside."""
    rows = transformers.inside_tables()[case]
    chosen = QuantizeTable({op: Choice(mode, "a test") for op, mode in rows.items()})
    table = table_text.read(FOLDER / "bert_cali_table")
    graph = lower(_graph("bert", folder), table, bm1684x, "INT8", chosen).graph
    ours = {n.name: [n.op, n.output.dtype.value] for n in graph.nodes if n.op != "Input"}
    assert ours == transformers.types("bert_inside", case)


def test_parts_of_a_product_have_the_type_chosen_for_it(folder, bm1684x):
    product = "/b.0/a/qkv/Add_output_0_Add"
    chosen = QuantizeTable({product: Choice("F16", "a test")})
    graph = _lowered("vit", "INT8", folder, bm1684x, chosen)
    parts = [n for n in graph.nodes if n.name.startswith(f"{product}_matmul_")]
    assert [n.output.dtype for n in parts] == ["f16"] * 3


@pytest.mark.parametrize("mode", ["INT8", "F16"])
@pytest.mark.parametrize("name", NAMES)
def test_samples_run_at_once_equal_samples_run_one_by_one(name, mode, folder, bm1684x):
    graph = _lowered(name, mode, folder, bm1684x)
    assert not isinstance(with_batch(graph, 2), Skip)
    samples = [transformers.sample(name, i) for i in (1, 3)]
    program = Program(graph, 2)
    both = program.run({k: np.concatenate([s[k] for s in samples]) for k in samples[0]})
    apart = [program.run(s) for s in samples]
    for key, array in both.items():
        np.testing.assert_array_equal(array, np.concatenate([a[key] for a in apart]), err_msg=key)
