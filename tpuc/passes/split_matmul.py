"""Gives each Slice of a wide MatMul a MatMul of its own, as gated feed-forwards have them.

MatMul (N, tokens, K) by constants, Slices of at least 128 columns
  -> for each Slice a MatMul with its columns, under the Slice's name and in its place
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import replace_node, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]

_LEAST = 128
"""Narrower Slices stay."""


def run(graph: Graph) -> PassResult:
    """Apply the rule to every MatMul."""
    return PassResult(sum(_split(graph, node) for node in graph if node.op == "MatMul"))


def _split(graph: Graph, node: Node) -> bool:
    slices, shape = node.output.users, node.output.shape
    fixed = all(v is None or v.is_weight for v in node.inputs[1:])
    if len(slices) < 2 or len(shape) != 3 or not fixed or node.flag("right_transpose"):
        return False
    if any(node.output is v for v in graph.outputs):
        return False
    if not all(s.op == "Slice" and _wide(s, shape) for s in slices):
        return False
    for cut in slices:
        start = range(shape[-1])[slice(cut.ints("offset")[-1], None)].start
        columns = slice(start, start + cut.output.shape[-1])
        operands: list[Value | None] = [node.inputs[0]]
        for value in node.inputs[1:]:
            data = None if value is None else value.data
            if value is None or data is None:
                operands.append(None)
            else:
                part = np.ascontiguousarray(data[..., columns])
                operands.append(weight(f"{value.name}__offset{start}", part))
        replace_node(graph, cut, "MatMul", operands, node.attrs)
    graph.remove(node)
    return True


def _wide(cut: Node, shape: tuple[int, ...]) -> bool:
    out = cut.output.shape
    starts = cut.ints("offset")
    plain = set(cut.ints("steps")) == {1} and starts[:2] == (0, 0)
    return plain and out[:2] == shape[:2] and out[-1] >= _LEAST
