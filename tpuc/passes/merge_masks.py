"""Makes one Add of the two constants that shifted-window attention adds to its products.

    Add(x, a), Reshape, Add(y, b), Reshape back -> Add(x, c), c = a + b broadcast to x's shape

The Add takes the second one's name.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import only_user, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Apply the rule to every Add of a constant."""
    return PassResult(sum(_merge(graph, node) for node in graph if node.op == "Add"))


def _constant(node: Node) -> np.ndarray | None:
    value = node.inputs[1] if len(node.inputs) == 2 else None
    plain = not node.flag("do_relu") and not node.attrs.get("coeff")
    return value.data if value is not None and plain else None


def _next(graph: Graph, value: Value, op: str) -> Node | None:
    user = only_user(graph, value)
    return user if user is not None and user.op == op and user.inputs[0] is value else None


def _merge(graph: Graph, first: Node) -> bool:
    there = _next(graph, first.output, "Reshape")
    second = _next(graph, there.output, "Add") if there is not None else None
    back = _next(graph, second.output, "Reshape") if second is not None else None
    if there is None or second is None or back is None:
        return False
    one, other = _constant(first), _constant(second)
    shape = first.output.shape
    if one is None or other is None or back.output.shape != shape:
        return False
    if second.output.shape != there.output.shape:
        return False
    both = np.broadcast_to(one, shape) + np.broadcast_to(other, there.output.shape).reshape(shape)
    name = second.name
    graph.set_input(first, 1, weight(f"{name}_merged", both))
    graph.replace_uses(back.output, first.output)
    for node in (back, second, there):
        graph.remove(node)
    first.output.name = name
    return True
