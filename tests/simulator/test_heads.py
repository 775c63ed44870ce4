"""Heads that run as one step give what the single ops give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden import transformers
from tpuc.calibration import table as table_text
from tpuc.frontend import read_onnx
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.simulator import Program, interpret
from tpuc.simulator.choose import choose
from tpuc.simulator.heads import find_heads
from tpuc.simulator.plain import PlainKernel


@pytest.fixture(scope="module")
def lowered(tmp_path_factory, bm1684x):
    folder: Path = tmp_path_factory.mktemp("bert")
    graph = read_onnx(transformers.onnx_file("bert", folder))
    canonicalize(graph)
    table = table_text.read(transformers.FOLDER / "bert_cali_table")
    return lower(graph, table, bm1684x, "INT8").graph


def test_heads_of_both_layers_are_found(lowered):
    kernels = {n.name: k for n in lowered.nodes if isinstance(k := choose(n), PlainKernel)}
    found = find_heads(lowered, kernels)
    ops = {n.name: n.op for n in lowered.nodes}
    assert [ops[name] for name in found] == ["RequantInt", "RequantInt"]
    for heads in found.values():  # two heads, one sum
        assert sorted(ops[name] for name in heads.inner) == ["Add", "Attention", "Attention"]


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_who_looks(lowered, threads):
    given = transformers.sample("bert", 2)
    feeds = {v.name: given[v.name].astype(v.dtype.numpy) for v in lowered.inputs}
    expected = interpret(lowered, feeds)
    program = Program(lowered, threads)
    (head,) = [n.name for n in lowered.nodes if n.op == "Attention"][:1]
    sums = [n.name for n in lowered.nodes if n.op == "Add" and n.output.dtype == "si32"]
    for observe in (None, [head], sums, "all", None):
        for name, array in program.run_raw(feeds, observe).items():
            np.testing.assert_array_equal(array, expected[name].reshape(array.shape), name)
