"""Edits that several passes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tpuc.ir import Attr, Graph, Node, Value, with_defaults

__all__ = ["absorb_follower", "only_user", "replace_node", "weight"]


def only_user(graph: Graph, value: Value) -> Node | None:
    """The one node that reads a value, if it is read once and is no graph output."""
    if len(value.uses) == 1 and not any(value is v for v in graph.outputs):
        return value.uses[0][0]
    return None


def absorb_follower(graph: Graph, node: Node, follower: Node) -> None:
    """Let `node` take over the output, and so the name, of the single follower it swallowed."""
    old, new = node.output, follower.output
    graph.replace_uses(new, old)
    graph.remove(follower)
    old.name, old.shape = new.name, new.shape


def replace_node(
    graph: Graph,
    node: Node,
    op: str,
    inputs: Sequence[Value | None],
    attrs: Mapping[str, Attr] | None = None,
) -> Node:
    """Put another op in a node's place, keeping its name, shape and users."""
    old = node.output
    out = Value(old.name, old.shape)
    made = graph.add(op, inputs, [out], with_defaults(op, attrs or {}), before=node)
    graph.replace_uses(old, out)
    graph.remove(node)
    return made


def weight(name: str, data: np.ndarray) -> Value:
    """A float32 weight."""
    array = np.ascontiguousarray(data, np.float32)
    return Value(name, array.shape, data=array)
