"""Tensors that get a zero point in a build that is symmetric otherwise.

Results of SiLU and GELU that only Conv and MatMul read: most of their values lie far on one side.
Their range is from percentile to percentile, of x itself. Source: TPU-MLIR 1.30.2.
"""

from __future__ import annotations

from tpuc.ir import Graph, Node

__all__ = ["affine_ops", "affine_tensors"]

_ONE_SIDED = {"SiLU", "GELU"}
_READERS = {"Conv", "MatMul"}


def _found(graph: Graph) -> list[tuple[Node, list[Node]]]:
    """Ops and their readers, in program order."""
    order = {id(n): i for i, n in enumerate(graph.nodes)}
    found = []
    for node in graph.nodes:
        users = sorted(node.output.users, key=lambda n: order[id(n)]) if node.outputs else []
        if node.op in _ONE_SIDED and all(u.op in _READERS for u in users):
            found.append((node, users))
    return found


def affine_tensors(graph: Graph) -> tuple[str, ...]:
    """Names of the tensors."""
    return tuple(node.name for node, _ in _found(graph))


def affine_ops(graph: Graph) -> tuple[str, ...]:
    """Section `#asym_op` of the table: each op, and behind it those that read it."""
    return tuple(n.name for node, users in _found(graph) for n in (node, *users))
