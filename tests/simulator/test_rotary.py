"""Rope of pairs and of halves: TPU-MLIR's numbers, bit for bit, in each float type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.float_cases import made
from tpuc.calibration import table as table_text
from tpuc.ir import DType
from tpuc.ir.text_parse import load_mlir
from tpuc.lowering import lower
from tpuc.simulator import Program, interpret

FOLDER = Path(__file__).parents[1] / "golden" / "rotary"
NAMES = ("pairs_Add", "halves_Add")


@pytest.mark.parametrize("mode", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("how", ["reference", "compiled"])
def test_numbers_are_tpu_mlirs(mode, how, bm1684x):
    graph = lower(load_mlir(FOLDER / "rotary.mlir"), None, bm1684x, mode).graph
    (source,) = graph.inputs
    feeds = {source.name: made(source.name, source.shape)}
    run = interpret if how == "reference" else Program(graph, 2).run
    found = run(graph, feeds) if how == "reference" else run(feeds, observe=list(NAMES))
    with np.load(FOLDER / f"{mode}.npz") as held:
        for name in NAMES:
            np.testing.assert_array_equal(found[name], held[name])


def test_there_is_no_integer_form(bm1684x):
    graph = load_mlir(FOLDER / "rotary.mlir")
    rows = "".join(f"{v.name} 4.0 -4.0 4.0\n" for v in graph.values() if not v.is_weight)
    lowered = lower(graph, table_text.parse(rows), bm1684x, "INT8")
    kinds = {n.name: n.output.dtype for n in lowered.graph if n.op == "Rope"}
    assert kinds == dict.fromkeys(NAMES, DType.F16)
    assert set(lowered.reasons) == set(NAMES)
