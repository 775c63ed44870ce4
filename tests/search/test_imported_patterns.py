"""The whole way: an ONNX file of a known family, imported by tpuc, gives the rows of TPU-MLIR."""

from __future__ import annotations

import gzip

import onnx
import pytest

from tests.golden.mlir_names import FOLDER, vendor_table
from tests.golden.weights import fill_weights
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.passes import canonicalize
from tpuc.search import match, merge, shape_ops

NETS = sorted(p.name.removesuffix(".onnx.gz") for p in FOLDER.glob("*.onnx.gz"))


def imported(net: str, folder) -> Graph:
    model = onnx.ModelProto.FromString(gzip.decompress((FOLDER / f"{net}.onnx.gz").read_bytes()))
    fill_weights(model)
    onnx.save(model, str(folder / f"{net}.onnx"))
    graph = read_onnx(folder / f"{net}.onnx")
    canonicalize(graph)
    return graph


@pytest.mark.parametrize("net", NETS)
def test_rows_are_those_of_the_vendor(net, tmp_path, bm1684x):
    graph = imported(net, tmp_path)
    ops = [*match(graph, bm1684x).ops, *shape_ops(graph, bm1684x)]
    ours = {f"{name} {choice.mode}" for name, choice in merge(ops).choices.items()}
    assert ours == {row for row in vendor_table(net).splitlines() if not row.startswith("#")}
    names = {value.name for value in graph.values()}
    assert {op.name for op in ops} <= names
