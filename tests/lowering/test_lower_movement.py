"""Ops that only move numbers, in INT8."""

from __future__ import annotations

import numpy as np

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable, Range
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


def test_a_float_operand_is_cast_for_the_concat_first(bm1684x) -> None:
    """The shared cast has the name of the Concat's requantization, though Permute comes first."""
    graph = Graph("join")
    shape = (1, 3, 4, 5)
    x, a, moved, y = (Value(n, shape) for n in ("x", "a", "moved", "y"))
    joined = Value("joined", (1, 6, 4, 5))
    graph.add("Input", [], [x], with_defaults("Input", {}, "top"))
    graph.add("Sigmoid", [x], [a], with_defaults("Sigmoid", {}, "top"))
    graph.add("Permute", [a], [moved], with_defaults("Permute", {"order": (0, 1, 2, 3)}, "top"))
    graph.add("Relu", [moved], [y], with_defaults("Relu", {}, "top"))
    graph.add("Concat", [a, x], [joined], with_defaults("Concat", {"axis": 1}, "top"))
    graph.outputs = [y, joined]
    table = CalibrationTable(
        {n: Range(t, -t, t) for n, t in {"x": 4.0, "joined": 4.0}.items()}
        | {n: Range(1.0, 0.0, 1.0) for n in ("a", "moved", "y")}
    )
    qtable = QuantizeTable({"a": Choice("F32")})
    lowered = lower(graph, table, bm1684x, "INT8", qtable).graph
    casts = {n.name for n in lowered.nodes if n.op == "Cast" and n.inputs[0].name == "a"}
    assert casts == {"aa_to_joined_ui8"}
    assert lowered.find("a_to_joined").producer.op == "MulShift"
    assert lowered.find("moved").producer.inputs[0].name == "aa_to_joined_ui8"
