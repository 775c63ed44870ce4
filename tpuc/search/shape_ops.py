"""Ops that compute shapes and indices: they are float, since integers of 8 bits can not count.

    seeds      Shape, Size, Cast to an integer type, users of Arg
    forward    through ops that only move values, and into a network's outputs
    backward   through the same ops, and into Inputs
    joined     every op all of whose activations are shape ops

A value stops being a shape where it is used as one: as operand of Reshape or Interp, as indices of
GatherElements, as condition of Where, or after a Cast to float; not where it is all that an op
reads. An Input that a shape op reads is one itself, so all that depends on that Input alone joins.

Source: TPU-MLIR 1.30.2.
"""

from __future__ import annotations

from tpuc.ir import Graph, Node
from tpuc.processors import Processor
from tpuc.search.float_ops import FloatOp, float_mode

__all__ = ["shape_ops"]

_SEEDS = ("Shape", "Size")
_MOVING = ("Concat", "Slice", "Tile", "Split", "Pack", "Repeat", "Squeeze", "Unsqueeze")
_ENDS = ("Reshape", "Interp")
_INTEGERS = ("INT32", "INT16", "INT8")
_FLOATS = ("F32", "F16")


def shape_ops(graph: Graph, processor: Processor, fp_type: str = "auto") -> tuple[FloatOp, ...]:
    """Rows of all shape ops, in program order.

    Raises
    ------
    ConfigError : the processor does not mix `fp_type` with integers
    """
    mode = float_mode(processor, fp_type)
    why = _seeds(graph)
    indices = {id(n.inputs[1]) for n in graph.nodes if n.op == "GatherElements" and n.inputs[1:]}
    ends = {id(v) for v in graph.outputs}
    waiting = list(why)
    while waiting:
        node = waiting.pop()
        for other, reason in _neighbours(node, why, indices, ends):
            if other not in why:
                why[other] = reason
                waiting.append(other)
    for node in graph.nodes:
        if _is_arg(node):
            why.setdefault(node, "shape op: finds an index")
    return tuple(
        FloatOp(v.name, node.name, mode, "shape", why[node])
        for node in graph.nodes
        if node in why
        for v in node.outputs
    )


def _is_arg(node: Node) -> bool:
    return node.op == "Arg" and len(node.outputs) == 1


def _casts_to(node: Node, types: tuple[str, ...]) -> bool:
    return node.op == "Cast" and node.attrs.get("to") in types


def _is_seed(node: Node) -> bool:
    return node.op in _SEEDS or _casts_to(node, _INTEGERS)


def _single_users(node: Node) -> list[Node]:
    """Users that have one result; ops with several (TopK) use values, not shapes."""
    if len(node.outputs) > 1:
        return []
    return [user for user in node.output.users if len(user.outputs) == 1]


def _seeds(graph: Graph) -> dict[Node, str]:
    found = {n: "shape op: makes a shape or integers" for n in graph.nodes if _is_seed(n)}
    for node in filter(_is_arg, graph.nodes):
        for user in _single_users(node):
            found.setdefault(user, f"shape op: reads the index that Arg '{node.name}' finds")
    return found


def _neighbours(
    node: Node, known: dict[Node, str], indices: set[int], ends: set[int]
) -> list[tuple[Node, str]]:
    """Ops that one shape op makes shape ops."""
    found = []
    for user in _single_users(node):
        if id(user.output) in ends and id(node.output) not in ends:
            found.append((user, f"shape op: output made of shape op '{node.name}'"))
        elif _goes_on(node, user, indices) and id(node.output) not in ends:
            found.append((user, f"shape op: moves the result of shape op '{node.name}'"))
        elif all(v.producer in known for v in user.activations):
            found.append((user, "shape op: all that it reads are shape ops"))
    for value in node.activations:
        before = value.producer
        if before is not None and len(before.outputs) == 1 and before.op in (*_MOVING, "Input"):
            found.append((before, f"shape op: feeds shape op '{node.name}'"))
    return found


def _goes_on(node: Node, user: Node, indices: set[int]) -> bool:
    """True if `user` only moves values that stay shapes."""
    if user.op in _ENDS or _casts_to(user, _FLOATS) or id(user.output) in indices:
        return False
    if user.op == "Where" and user.inputs[0] is node.output:
        return False
    return user.op in _MOVING
