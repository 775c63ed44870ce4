"""Moves Reshapes so that they meet other Reshapes, as TPU-MLIR does for window attention.

1. Add, Reshape, LayerNorm or MatMul -> both operands reshaped (`<operand>_r_reshape`), Add
2. Reshape (several users), Reshape back -> nothing; other users get a Reshape of their own
   (`<name>_reshape_fuse_<number>`, counted from the last use)

In 1 the Add takes the Reshape's name and place. It stays if a LayerNorm or MatMul makes one of its
operands for it alone, or if an operand is broadcast.
"""

from __future__ import annotations

import math

from tpuc.ir import Graph, Node, Value, with_defaults
from tpuc.passes.edit import only_user, replace_node
from tpuc.passes.result import PassResult

__all__ = ["run"]

_TARGETS = ("LayerNorm", "MatMul")


def run(graph: Graph) -> PassResult:
    """Apply the rules in program order until nothing changes."""
    count, changed = 0, True
    while changed:
        changed = False
        for node in graph:
            if node.op == "Reshape" and node in graph.nodes:
                changed |= _swap_add(graph, node) or _undo(graph, node) or _merge(graph, node)
        count += changed
    return PassResult(count)


def _swap_add(graph: Graph, node: Node) -> bool:
    source = node.inputs[0]
    add = source.producer if source is not None else None
    if source is None or add is None or add.op != "Add" or only_user(graph, source) is not node:
        return False
    if not any(user.op in _TARGETS for user in node.output.users):
        return False
    for value in add.inputs:
        assert value is not None
        maker = value.producer
        if maker is not None and maker.op in _TARGETS and len(value.uses) == 1:
            return False
        if value.size != source.size:
            return False
    if _only_axes_of_one(source.shape, node.output.shape):
        return False
    shape = node.output.shape
    operands = []
    for value in add.inputs:
        assert value is not None
        turned = Value(f"{value.name}_r_reshape", shape)
        graph.add("Reshape", [value], [turned], _plain(), before=add)
        operands.append(turned)
    replace_node(graph, node, "Add", operands, add.attrs)
    graph.remove(add)
    return True


def _only_axes_of_one(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """(1, 1, ...) to (1, n, 1, ...): TPU-MLIR leaves these."""
    if len(before) != 4 or len(after) != 4:
        return False
    return before[:2] == (1, 1) and after[0] == 1 and after[2] == 1


def _plain() -> dict[str, bool | int | float | str | tuple[int, ...]]:
    return with_defaults("Reshape", {})  # type: ignore[return-value]


def _undo(graph: Graph, node: Node) -> bool:
    middle = node.inputs[0]
    first = middle.producer if middle is not None else None
    if middle is None or first is None or first.op != "Reshape" or len(middle.uses) < 2:
        return False
    source = first.inputs[0]
    if source is None or source.shape != node.output.shape:
        return False
    if any(v is middle or v is node.output for v in graph.outputs):
        return False
    graph.replace_uses(node.output, source)
    uses = sorted(middle.uses, key=lambda use: graph.nodes.index(use[0]), reverse=True)
    for index, (user, operand) in enumerate(uses):
        if user is node:
            continue
        turned = Value(f"{middle.name}_reshape_fuse_{index}", middle.shape)
        graph.add("Reshape", [source], [turned], _plain(), before=first)
        graph.set_input(user, operand, turned)
    graph.remove(node)
    graph.remove(first)
    return True


def _merge(graph: Graph, node: Node) -> bool:
    """A Reshape made here, of a Reshape that only it reads."""
    if "shape" in node.attrs:
        return False
    middle = node.inputs[0]
    first = middle.producer if middle is not None else None
    if middle is None or first is None or first.op != "Reshape":
        return False
    if only_user(graph, middle) is not node or not math.prod(node.output.shape):
        return False
    graph.set_inputs(node, [first.inputs[0]])
    graph.remove(first)
    return True
