"""Rewrites of the Top graph that a processor's own ops make possible.

1. Permute of the last two axes, MatMul  -> MatMul, right_transpose
2. x[s:], x[:s], Concat                  -> SwapDimInner(offset s): a roll along one axis
3. x * Sigmoid(1.702 x)                  -> GELU, approx_mode sigm

All keep the last op's name.
"""

from __future__ import annotations

import math

from tpuc.ir import Graph, Node, Value, with_defaults

__all__ = ["merge_operands"]


def merge_operands(graph: Graph) -> None:
    """Apply the rules in place."""
    rules = {"MatMul": _transposed, "Concat": _roll, "Mul": _quick_gelu}
    for node in graph:
        rule = rules.get(node.op)
        if rule is not None and node in graph.nodes:
            rule(graph, node)
    graph.remove_dead()


def _alone(graph: Graph, value: Value, user: Node) -> bool:
    return value.users == [user] and not any(value is v for v in graph.outputs)


def _transposed(graph: Graph, node: Node) -> None:
    right = node.inputs[1]
    permute = right.producer if right is not None else None
    if right is None or permute is None or permute.op != "Permute":
        return
    rank = len(right.shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    if permute.ints("order") != order or not _alone(graph, right, node):
        return
    graph.set_input(node, 1, permute.inputs[0])
    node.attrs["right_transpose"] = not node.flag("right_transpose")


def _replace(graph: Graph, node: Node, op: str, source: Value, attrs: dict[str, object]) -> None:
    old = node.output
    out = Value(old.name, old.shape)
    graph.add(op, [source], [out], with_defaults(op, attrs), before=node)  # type: ignore[arg-type]
    graph.replace_uses(old, out)
    graph.remove(node)


def _roll(graph: Graph, node: Node) -> None:
    makers = [v.producer if v is not None else None for v in node.inputs]
    if len(makers) != 2 or node.flag("do_relu"):
        return
    tail, head = makers
    if tail is None or head is None or tail.op != "Slice" or head.op != "Slice":
        return
    source, axis = tail.inputs[0], node.integer("axis")
    if source is None or source is not head.inputs[0] or source.shape != node.output.shape:
        return
    start = _start(tail, source.shape, axis)
    if start is None or _start(head, source.shape, axis) != 0:
        return
    if tail.output.shape[axis] != source.shape[axis] - start or start != head.output.shape[axis]:
        return
    if not (_alone(graph, tail.output, node) and _alone(graph, head.output, node)):
        return
    offset = tuple(start if i == axis else 0 for i in range(len(source.shape)))
    _replace(graph, node, "SwapDimInner", source, {"offset": offset})


def _start(cut: Node, shape: tuple[int, ...], axis: int) -> int | None:
    """Where a Slice of one axis, with step 1, starts."""
    if set(cut.ints("steps")) != {1}:
        return None
    whole = [a == b for a, b in zip(shape, cut.output.shape)]
    if any(not same for i, same in enumerate(whole) if i != axis):
        return None
    return range(shape[axis])[slice(cut.ints("offset")[axis], None)].start


def _quick_gelu(graph: Graph, node: Node) -> None:
    if len(node.activations) != 2 or node.flag("do_relu"):
        return
    for x, gate in (node.activations, node.activations[::-1]):
        sigmoid = gate.producer
        scaled = sigmoid.inputs[0] if sigmoid is not None and sigmoid.op == "Sigmoid" else None
        factor = scaled.producer if scaled is not None else None
        if scaled is None or factor is None or factor.op != "MulConst" or sigmoid is None:
            continue
        close = math.isclose(factor.number("const_val"), 1.702, rel_tol=1e-4)
        single = _alone(graph, gate, node) and _alone(graph, scaled, sigmoid)
        if close and single and factor.inputs[0] is x and not sigmoid.flag("log"):
            _replace(graph, node, "GELU", x, {"approx_mode": "sigm"})
            return
