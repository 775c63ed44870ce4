"""Products of matrices: the right one constant, or both computed."""

from __future__ import annotations

from tpuc.backends.bm1684x.emitter import Emitter, NoRoom
from tpuc.backends.bm1684x.rules import float_fully_connected, fully_connected
from tpuc.backends.bm1684x.rules.products import (
    is_computed,
    multiply_matrices,
    why_not_matrices,
)
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import Node

__all__ = ["FLOAT_RULES", "RULES"]


def _either(constant: Rule) -> Rule:
    def covers(node: Node) -> str | None:
        return why_not_matrices(node) if is_computed(node) else constant.covers(node)

    def emit(e: Emitter, node: Node) -> None:
        (multiply_matrices if is_computed(node) else constant.emit)(e, node)

    def whole(e: Emitter, node: Node, stays: bool) -> None:
        assert constant.whole is not None
        if is_computed(node):
            raise NoRoom(f"{node}: both matrices are loaded")
        constant.whole(e, node, stays)

    return Rule(covers, emit, whole)


RULES = {"MatMul": _either(fully_connected.RULES["MatMul"])}
FLOAT_RULES = {"MatMul": _either(float_fully_connected.RULES["MatMul"])}
