"""Transformers and detectors become the graph that TPU-MLIR makes of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.golden import transformers
from tests.golden.transformers import NAMES
from tpuc.errors import DataError
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import DType, Graph, Node, with_defaults
from tpuc.ir.text import print_mlir
from tpuc.ir.text_parse import parse_mlir
from tpuc.passes import canonicalize

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("transformers")


@cache
def _file(name: str, folder: Path) -> Path:
    return transformers.onnx_file(name, folder)


@cache
def _ours(name: str, folder: Path) -> Graph:
    graph = read_onnx(_file(name, folder))
    canonicalize(graph)
    return graph


def _theirs(name: str) -> Graph:
    import re

    text = (transformers.FOLDER / f"{name}.mlir").read_text()
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    found = re.findall(r'"top\.Weight"\(\) : \(\) -> tensor<(.*)xf32> loc\((#loc\d+)\)', text)
    sizes = {names[loc]: np.zeros([int(d) for d in dims.split("x")]) for dims, loc in found}
    return parse_mlir(text, sizes)


def _line(node: Node) -> dict[str, object]:
    operands = [None if v is None else v.size if v.is_weight else v.name for v in node.inputs]
    while operands and operands[-1] is None:
        operands.pop()
    return {
        "op": node.op,
        "name": node.name,
        "attrs": {} if node.op == "Input" else with_defaults(node.op, node.attrs),
        "shapes": [v.shape for v in node.outputs],
        "types": [v.dtype for v in node.outputs],
        "operands": operands,
    }


@pytest.mark.parametrize("name", NAMES)
def test_ops_names_attributes_and_order_are_tpu_mlirs(name, folder):
    ours, theirs = _ours(name, folder), _theirs(name)
    assert [(n.op, n.name) for n in ours] == [(n.op, n.name) for n in theirs]
    for mine, other in zip(ours, theirs):
        assert _line(mine) == _line(other)
    assert [v.name for v in ours.outputs] == [v.name for v in theirs.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_float_results_are_onnxruntimes(name, folder):
    import onnxruntime

    path = str(_file(name, folder))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    graph = _ours(name, folder)
    for index in (0, 3):
        feeds = transformers.sample(name, index)
        got = run(graph, feeds)
        for value, wanted in zip(graph.outputs, session.run(None, feeds)):
            array = got[value.name].reshape(wanted.shape)
            np.testing.assert_allclose(array, wanted, atol=2e-5 * np.abs(wanted).max())


def test_inputs_of_whole_numbers_are_declared_so_in_mlir_text(folder):
    graph = _ours("bert", folder)
    assert [v.dtype for v in graph.inputs] == [DType.SI32] * 3
    text = print_mlir(graph, "w.npz")
    assert '"top.Input"(%arg0) {do_preprocess = false} : (tensor<1x16xsi32>)' in text
    assert "-> tensor<1x16xf32>" in text


def test_words_beyond_the_table_are_refused_with_their_number(folder):
    feeds = transformers.sample("bert", 0)
    feeds["input_ids"] = feeds["input_ids"] + 100
    with pytest.raises(DataError, match=r"position 1\d\d is out of range; expected 0 to 63"):
        run(_ours("bert", folder), feeds)
