"""Removes ops that change nothing: Reshape to the same shape, Permute in order, Concat of one."""

from __future__ import annotations

from tpuc.ir import Graph, Node
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Drop every identity that is not itself a graph output."""
    count = 0
    for node in graph:
        source = node.inputs[0] if node.inputs else None
        if source is None or not _is_identity(node) or source.is_weight:
            continue
        if any(node.output is v for v in graph.outputs):
            continue
        graph.replace_uses(node.output, source)
        graph.remove(node)
        count += 1
    return PassResult(count)


def _is_identity(node: Node) -> bool:
    source = node.inputs[0]
    assert source is not None
    if node.op == "Permute":
        return node.ints("order") == tuple(range(len(source.shape)))
    if node.op in ("Reshape", "Squeeze", "Unsqueeze", "Tile"):
        return source.shape == node.output.shape
    if node.op == "Concat":
        return len(node.inputs) == 1 and not node.attrs["do_relu"]
    return node.op == "Pad" and source.shape == node.output.shape
