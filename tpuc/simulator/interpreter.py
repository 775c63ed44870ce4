"""Runs a Graph[tpu] op by op on the reference kernels: the slow, obvious simulator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tpuc.ir import Graph, Node, Value
from tpuc.kernels.casts import cast, through_bf16
from tpuc.kernels.reference import INTEGER_KERNELS
from tpuc.simulator.float_sums import run_in_order
from tpuc.simulator.floating import run_float

__all__ = ["interpret", "run_node"]


def run_node(node: Node, operands: list[np.ndarray | None]) -> list[np.ndarray]:
    """Stored results of one op from its stored operands."""
    if node.op == "Cast":
        source = node.inputs[0]
        assert source is not None and operands[0] is not None
        return [cast(operands[0], source, node.output, through_bf16(node))]
    if node.output.dtype.is_float:
        return run_float(node, operands)
    present = list(operands)
    while present and present[-1] is None:
        present.pop()
    return [INTEGER_KERNELS[node.op](node, *present)]


def interpret(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of one batch in its stored type, by name."""
    live: dict[int, np.ndarray] = {}
    results: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        if node.op == "Input":
            made = [np.ascontiguousarray(feeds[node.name], np.float32)]
        else:
            operands = [None if v is None else _array(v, live) for v in node.inputs]
            exact = run_in_order(node, operands)
            made = run_node(node, operands) if exact is None else [exact]
        for value, array in zip(node.outputs, made):
            live[id(value)] = array
            results[value.name] = array
    return results


def _array(value: Value, live: Mapping[int, np.ndarray]) -> np.ndarray:
    return value.data if value.data is not None else live[id(value)]
