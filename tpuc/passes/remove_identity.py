"""Removes ops that change nothing.

Reshape to the same shape, Permute in order, Slice of all, Concat of one.

Squeeze of the axes that the op before it, an Unsqueeze, has added goes with it.
"""

from __future__ import annotations

from tpuc.ir import Graph, Node, Value
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Drop every identity that is not itself a graph output."""
    count = 0
    for node in graph:
        source = _undone(node) or (node.inputs[0] if node.inputs else None)
        if source is None or source.is_weight or not (_undone(node) or _is_identity(node)):
            continue
        if any(node.output is v for v in graph.outputs):
            continue
        graph.replace_uses(node.output, source)
        graph.remove(node)
        count += 1
    if count:
        graph.remove_dead()
    return PassResult(count)


def _undone(node: Node) -> Value | None:
    """What an Unsqueeze read whose axes this Squeeze drops again."""
    middle = node.inputs[0] if node.op == "Squeeze" else None
    maker = middle.producer if middle is not None else None
    if maker is None or middle is None or maker.op != "Unsqueeze":
        return None
    rank = len(middle.shape)
    added, dropped = ({a % rank for a in n.ints("axes")} for n in (maker, node))
    return maker.inputs[0] if added == dropped else None


def _is_identity(node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    if node.op == "Permute":
        return node.ints("order") == tuple(range(len(source.shape)))
    if node.op in ("Reshape", "Squeeze", "Unsqueeze", "Tile"):
        return source.shape == node.output.shape
    if node.op == "Concat":
        return len(node.inputs) == 1 and not node.attrs["do_relu"]
    if node.op == "Slice":
        return source.shape == node.output.shape and min(node.ints("steps")) > 0
    return node.op == "Pad" and source.shape == node.output.shape
