"""Shape rules of Graph[top] and of those ops of Graph[tpu] that share a name with one.

One small function per op family; all take a node and return the shapes of its outputs. Ops whose
row says so have the shape of their first operand.
"""

from __future__ import annotations

from tpuc.errors import GraphError
from tpuc.ir.graph import Graph
from tpuc.ir.node import Node
from tpuc.ir.shapes import compute, movement, selection
from tpuc.ir.shapes.registry import RULES, Shape, Shapes, shape_of
from tpuc.ir.top_ops import TOP_OPS
from tpuc.ir.tpu_ops import TPU_OPS

__all__ = ["Shape", "check_shapes", "compute", "infer_shapes", "movement", "selection"]

_SAME = frozenset(r.name for table in (TOP_OPS, TPU_OPS) for r in table.values() if r.keeps_shape)

_UNFIT = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)
"""What Python raises in a rule where attributes are not what the op's row says."""


def infer_shapes(node: Node) -> Shapes:
    """Shapes of all outputs from the operands' shapes and the attributes.

    Raises
    ------
    GraphError : the op has no rule, or operands do not fit together
    """
    rule = _same if node.op in _SAME else RULES.get(node.op)
    if rule is None:
        raise GraphError(f"{node}: no shape rule")
    try:
        return rule(node)
    except _UNFIT as error:
        reason = f"{type(error).__name__}: {error}"
        raise GraphError(f"{node}: operands or attributes do not fit ({reason})") from error


def _same(node: Node) -> Shapes:
    return (shape_of(node),)


def check_shapes(graph: Graph) -> Graph:
    """Return a graph whose every shape follows from its inputs.

    Kernels trust shapes: a graph that tpuc did not make itself is checked before it runs.

    Raises
    ------
    GraphError : one does not follow, or operands do not fit together
    """
    for node in graph.nodes:
        if node.op == "Input":
            continue
        made = tuple(v.shape for v in node.outputs)
        inferred = tuple(infer_shapes(node))
        if inferred != made:
            raise GraphError(f"{node}: its shape is {made}; expected {inferred}")
    return graph
