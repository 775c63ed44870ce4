"""Ops that only move numbers, in INT8."""

from __future__ import annotations

import numpy as np

from tpuc.artifacts import CalibrationTable, Range
from tpuc.ir import Graph, Value, with_defaults
from tpuc.lowering import lower
from tpuc.simulator import Program, interpret


def test_a_relu_fused_into_upsample_stays(bm1684x) -> None:
    """TPU-MLIR keeps it, and the signed type of the operand: negative numbers become 0."""
    graph = Graph("up")
    x, y = Value("x", (1, 3, 4, 5)), Value("y", (1, 3, 8, 15))
    graph.add("Input", [], [x], with_defaults("Input", {}, "top"))
    attrs = {"scale_h": 2, "scale_w": 3, "do_relu": True}
    graph.add("Upsample", [x], [y], with_defaults("Upsample", attrs, "top"))
    graph.outputs = [y]
    table = CalibrationTable({"x": Range(2.0, -2.0, 2.0), "y": Range(2.0, 0.0, 2.0)})
    lowered = lower(graph, table, bm1684x).graph
    (node,) = (n for n in lowered.nodes if n.op == "Upsample")
    assert str(node.output.dtype) == "si8"
    sample = np.random.default_rng(0).uniform(-2, 2, (1, 3, 4, 5)).astype(np.float32)
    stored = interpret(lowered, {"x": sample})
    expected = np.maximum(stored[node.inputs[0].name], 0).repeat(2, 2).repeat(3, 3)
    np.testing.assert_array_equal(stored[node.name], expected)
    found = Program(lowered).run_raw({"x": sample}, [node.name])[node.name]
    np.testing.assert_array_equal(found, expected)
