"""Shape ops: where they begin, how far they reach. Rows of TPU-MLIR: see test_patterns.py."""

from __future__ import annotations

from tests.golden.mlir_names import read, vendor_table
from tpuc.ir import Graph, Value
from tpuc.search import shape_ops


def build(*ops: tuple[str, str, str], **attrs: str) -> Graph:
    """Ops as (type, name, names it reads); `attrs` go to ops of type Cast."""
    graph, values = Graph("made"), {}
    for op, name, operands in ops:
        values[name] = Value(name, ())
        read_ = [values[o] for o in operands.split()]
        graph.add(op, read_, [values[name]], attrs if op == "Cast" else {})
    graph.outputs = [v for v in values.values() if not v.uses]
    return graph


def names(graph: Graph, processor) -> list[str]:
    return [op.name for op in shape_ops(graph, processor)]


def test_a_network_of_the_vendor(bm1684x):
    rows = [r for r in vendor_table("shape_zoo").splitlines() if not r.startswith("#")]
    ours = shape_ops(read("shape_zoo"), bm1684x)
    assert sorted(f"{op.name} {op.mode}" for op in ours) == sorted(rows)
    assert {op.source for op in ours} == {"shape"}


def test_shapes_reach_through_moving_ops_and_end_at_reshape(bm1684x):
    graph = build(
        ("Input", "x", ""), ("Relu", "r", "x"), ("Shape", "s", "r"), ("Slice", "a", "s"),
        ("Unsqueeze", "b", "a"), ("Reshape", "y", "r b"), ("Relu", "out", "y"),
    )  # fmt: skip
    assert names(graph, bm1684x) == ["s", "a", "b"]


def test_what_feeds_a_shape_through_moving_ops_is_a_shape(bm1684x):
    graph = build(
        ("Input", "x", ""), ("Input", "n", ""), ("Squeeze", "q", "n"), ("Relu", "r", "x"),
        ("Shape", "s", "r"), ("Concat", "c", "s q"), ("Interp", "y", "r c"), ("Relu", "out", "y"),
    )  # fmt: skip
    assert names(graph, bm1684x) == ["n", "q", "s", "c"]


def test_an_input_that_a_seed_reads_makes_all_that_depends_on_it_alone_float(bm1684x):
    graph = build(
        ("Input", "x", ""), ("Input", "n", ""), ("Cast", "c", "n"), ("Add", "a", "c n"),
        ("Add", "b", "a x"), ("Relu", "out", "b"), to="INT32",
    )  # fmt: skip
    assert names(graph, bm1684x) == ["n", "c", "a"]


def test_casts_to_integers_only_are_seeds(bm1684x):
    ops = (("Input", "x", ""), ("Relu", "r", "x"), ("Cast", "c", "r"), ("Relu", "y", "c"),
           ("Relu", "out", "y"))  # fmt: skip
    assert names(build(*ops, to="INT32"), bm1684x) == ["c", "y", "out"]
    assert names(build(*ops, to="F32"), bm1684x) == []


def test_indices_and_conditions_are_where_shapes_end(bm1684x):
    graph = build(
        ("Input", "x", ""), ("Arg", "a", "x"), ("Unsqueeze", "u", "a"), ("Tile", "t", "u"),
        ("GatherElements", "g", "x t"), ("Where", "w", "u g x"), ("Relu", "out", "w"),
    )  # fmt: skip
    assert names(graph, bm1684x) == ["a", "u", "t"]
