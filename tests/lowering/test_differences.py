"""Differences with constants: the words that TPU-MLIR gives, and when it takes a float type."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from tpuc.artifacts import CalibrationTable, Range
from tpuc.ir import Graph, Value, with_defaults
from tpuc.lowering import Lowered, lower
from tpuc.processors import load_processor
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret

FACTS = Path(__file__).parents[2] / "conf" / "processor"
X, Y = 0.16698244015748032 * 127, 0.9311172606299213 * 127
SHAPE = (1, 8, 4, 4)


def _lowered(name: str, largest: float, left: bool) -> Lowered:
    """A constant minus x, or x minus a constant."""
    graph = Graph("net", "top")
    x = Value("x", SHAPE)
    graph.add("Input", [], [x], with_defaults("Input", {}))
    data = np.linspace(-largest, largest, 128, dtype=np.float32).reshape(SHAPE)
    constant = Value("c", SHAPE, data=data)
    out = Value("y", SHAPE)
    operands = [constant, x] if left else [x, constant]
    graph.add("Sub", operands, [out], with_defaults("Sub", {}))
    graph.outputs = [out]
    table = CalibrationTable({"x": Range(X, -X, X), "y": Range(Y, -Y, Y)})
    processor = load_processor(yaml.safe_load((FACTS / f"{name}.yaml").read_text()))
    return lower(graph, table, processor)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(
    ("name", "of_x", "of_constant"), [("bm1684x", (23, 7), (1, 0)), ("bm1684", (92, 9), (127, 7))]
)
def test_words_are_tpu_mlirs(name, of_x, of_constant, left):
    graph = _lowered(name, 116.98265, left).graph
    (node,) = [n for n in graph.nodes if n.op == "Sub"]
    words = list(zip(node.attrs["multipliers"], node.attrs["rshifts"]))
    assert words == ([of_constant, of_x] if left else [of_x, of_constant])
    feed = {"x": np.linspace(-X, X, 128, dtype=np.float32).reshape(SHAPE)}
    program = Program(graph, 1)
    assert program.fallbacks == {}
    stored = interpret(graph, feed)["y"]
    np.testing.assert_array_equal(program.run_raw(feed, observe="all")["y"], stored)


@pytest.mark.parametrize("name", ["bm1684x", "bm1684"])
def test_a_constant_that_reaches_further_makes_it_float(name):
    lowered = _lowered(name, Y + 1, False)
    assert lowered.reasons == {"y": "an operand reaches further than the difference"}
