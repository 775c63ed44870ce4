"""Lets arithmetic repeat an operand itself: Add, Sub, Mul, Max and Min read what a Tile repeats.

    Tile(x), of axes of length 1, before an op that broadcasts to the same shape    -> x

Div, comparisons and Where keep it, as in TPU-MLIR.
"""

from __future__ import annotations

from tpuc.ir import Graph, Node
from tpuc.ir.shapes import infer_shapes
from tpuc.passes.result import PassResult

__all__ = ["run"]

_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Max", "Min"})


def run(graph: Graph) -> PassResult:
    """Take every Tile out of the way of the ops that do not need it."""
    count = 0
    for node in graph:
        if node.op == "Tile" and _stretches(node):
            for user, index in list(node.output.uses):
                count += _read_source(graph, node, user, index)
    if count:
        graph.remove_dead()
    return PassResult(count)


def _stretches(node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    pairs = zip(source.shape, node.output.shape)
    return len(source.shape) == len(node.output.shape) and all(a in (1, b) for a, b in pairs)


def _read_source(graph: Graph, node: Node, user: Node, index: int) -> bool:
    if user.op not in _BROADCASTING:
        return False
    graph.set_input(user, index, node.inputs[0])
    if infer_shapes(user) == (user.output.shape,):
        return True
    graph.set_input(user, index, node.output)
    return False
