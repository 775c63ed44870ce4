"""Invariants of a graph, checked on entry and exit of every room."""

from __future__ import annotations

from tpuc.errors import GraphError
from tpuc.ir.graph import Graph
from tpuc.ir.node import Node
from tpuc.ir.ops import spec_of

__all__ = ["verify"]


def verify(graph: Graph, dialect: str | None = None) -> Graph:
    """Check every invariant and return the graph.

    Raises
    ------
    GraphError : a value is read before it is made, a name is taken twice, def-use chains disagree,
        an op is not in its dialect's table, has wrong operands or attributes, or an integer value
        lacks its scale
    """
    if dialect is not None and graph.dialect != dialect:
        raise GraphError(
            f"graph '{graph.name}': dialect is '{graph.dialect}'; expected '{dialect}'"
        )
    seen: set[int] = set()
    names: set[str] = set()
    for node in graph.nodes:
        _check_operands(node, seen)
        _check_interface(node, graph.dialect)
        for out in node.outputs:
            if out.producer is not node:
                raise GraphError(f"{node}: output '{out.name}' names another producer")
            if out.name in names:
                raise GraphError(f"{node}: the name '{out.name}' is taken twice")
            if graph.dialect == "tpu" and not out.dtype.is_float and out.quant is None:
                raise GraphError(f"{node}: output '{out.name}' is {out.dtype} without a scale")
            names.add(out.name)
            seen.add(id(out))
    if not graph.outputs:
        raise GraphError(f"graph '{graph.name}': has no outputs")
    for out in graph.outputs:
        if id(out) not in seen:
            raise GraphError(f"graph '{graph.name}': output '{out.name}' has no producer")
    return graph


def _check_operands(node: Node, seen: set[int]) -> None:
    for index, value in enumerate(node.inputs):
        if value is None:
            continue
        if not any(n is node and i == index for n, i in value.uses):
            raise GraphError(f"{node}: operand '{value.name}' does not list it as a user")
        if value.data is None and id(value) not in seen:
            raise GraphError(f"{node}: operand '{value.name}' is read before it is made")
        if value.data is not None and tuple(value.data.shape) != value.shape:
            raise GraphError(
                f"{node}: weight '{value.name}' has data {value.data.shape}, declared {value.shape}"
            )


def _check_interface(node: Node, dialect: str) -> None:
    spec = spec_of(node.op, dialect)
    problem = spec.arity_error(len(node.inputs))
    if problem:
        raise GraphError(f"{node}: {problem}")
    if spec.results >= 0 and len(node.outputs) != spec.results:
        raise GraphError(f"{node}: has {len(node.outputs)} results; expected {spec.results}")
    for key in node.attrs:
        if key not in spec.attrs:
            raise GraphError(f"{node}: unknown attribute {key!r}; expected {sorted(spec.attrs)}")
