"""Attention whose last product has a relu is one op a head all the same."""

from __future__ import annotations

import gzip
from dataclasses import replace

import onnx
import pytest

from tests.golden.mlir_names import FOLDER
from tests.golden.weights import fill_weights
from tpuc.artifacts import CalibrationTable, Range
from tpuc.frontend import read_onnx
from tpuc.ir import DType, Graph
from tpuc.lowering import lower
from tpuc.passes import canonicalize

LAST = "/Relu_output_0_Relu"


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Graph:
    """Two attentions of four heads, the first one with a relu."""
    path = tmp_path_factory.mktemp("vf") / "net.onnx"
    packed = gzip.decompress((FOLDER / "vf.onnx.gz").read_bytes())
    model = onnx.ModelProto.FromString(packed)
    fill_weights(model)
    onnx.save(model, str(path))
    graph = read_onnx(path)
    canonicalize(graph)
    return graph


def table(graph: Graph, low: float) -> CalibrationTable:
    ranges = {v.name: Range(2.0, -2.0, 2.0) for v in graph.values() if v.data is None}
    return CalibrationTable(ranges | {LAST: Range(2.0, low, 2.0)})


def test_integers_are_cut_at_0_by_their_type(plain, bm1684x):
    graph = lower(plain, table(plain, 0.0), bm1684x, "INT8").graph
    kinds = [n.op for n in graph]
    assert kinds.count("Attention") == 8
    (last,) = [n for n in graph if n.name == LAST]
    assert (last.op, last.output.dtype) == ("RequantInt", DType.UI8)


def test_signed_results_have_no_such_form(plain, bm1684x):
    only_signed = replace(bm1684x, unsigned=False)
    lowered = lower(plain, table(plain, 0.0), only_signed, "INT8")
    assert lowered.reasons == {LAST: "its relu needs a result without negative numbers"}


def test_floats_are_limited_in_the_last_sum(plain, bm1684x):
    graph = lower(plain, None, bm1684x, "F16").graph
    limited = [n.name for n in graph if n.op == "Add" and n.flag("do_relu")]
    assert limited == [LAST]
    (cast,) = [n for n in graph if n.op == "Cast" and n.inputs[0] is graph.inputs[0]]
    assert cast.name == "images/first.0/Add_output_0_Add_f16"
