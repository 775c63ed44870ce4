"""Removes two Permutes, with a Reshape between them, that leave every element in its place.

    Permute, Reshape, Permute -> nothing, or a Reshape `<input>_r_Reshape` where the shape differs

A Reshape behind them reads the source. As in TPU-MLIR it is not merged with one before them.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node
from tpuc.passes.edit import only_user, replace_node
from tpuc.passes.result import PassResult

__all__ = ["run"]

_MOST = 1 << 24
"""Largest tensor whose elements are followed one by one."""


def run(graph: Graph) -> PassResult:
    """Apply the rule to every Permute."""
    count = 0
    for node in graph:
        if node.op == "Permute" and node in graph.nodes:
            count += _turned_back(graph, node)
    return PassResult(count)


def _inner(graph: Graph, node: Node | None, op: str) -> Node | None:
    """The op of kind `op` that only `node` reads."""
    source = node.inputs[0] if node is not None else None
    maker = source.producer if source is not None else None
    if source is None or maker is None or maker.op != op or only_user(graph, source) is not node:
        return None
    return maker


def _turned_back(graph: Graph, node: Node) -> bool:
    """Permute, Reshape, Permute that leave every element in its place."""
    middle = _inner(graph, node, "Reshape")
    first = _inner(graph, middle, "Permute")
    source = first.inputs[0] if first is not None else None
    if middle is None or first is None or source is None or source.size > _MOST:
        return False
    places = np.arange(source.size, dtype=np.int32).reshape(source.shape)
    turned = places.transpose(first.ints("order")).reshape(middle.output.shape)
    back = turned.transpose(node.ints("order")).reshape(-1)
    if not np.array_equal(back, places.reshape(-1)):
        return False
    follower = only_user(graph, node.output)
    if follower is not None and follower.op == "Reshape":
        graph.set_inputs(follower, [source])
        graph.remove(node)
    elif source.shape == node.output.shape and not any(node.output is v for v in graph.outputs):
        graph.replace_uses(node.output, source)
        graph.remove(node)
    else:
        made = replace_node(graph, node, "Reshape", [source])
        made.output.name = f"{source.name}_r_Reshape"
    graph.remove(middle)
    graph.remove(first)
    return True
