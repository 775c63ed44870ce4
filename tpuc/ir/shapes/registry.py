"""The table of shape rules, and what the rules share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.errors import GraphError
from tpuc.ir.node import Node

__all__ = ["RULES", "Shape", "Shapes", "broadcast", "rule", "shape_of"]

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
Rule = Callable[[Node], Shapes]

RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Register a function for some ops."""

    def register(function: Rule) -> Rule:
        for op in ops:
            RULES[op] = function
        return function

    return register


def shape_of(node: Node, index: int = 0) -> Shape:
    """Shape of operand `index`, which must be there."""
    value = node.inputs[index]
    assert value is not None
    return value.shape


def broadcast(node: Node, shapes: list[Shape]) -> Shape:
    """Common shape of operands, as numpy broadcasts.

    Raises
    ------
    GraphError : there is none
    """
    try:
        return tuple(int(d) for d in np.broadcast_shapes(*shapes))
    except ValueError as error:
        raise GraphError(f"{node}: shapes {shapes} do not broadcast") from error
