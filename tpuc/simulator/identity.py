"""When two ops of different graphs are the same op, and two tensors the same tensor.

    form(node)   = op, attributes, types and shapes of operands and results, contents of weights
    name(value)  = form of its producer, names of the producer's operands, number of the result

Two values with the same name hold the same numbers on the same samples: nothing else enters an op.
Names are compared whole (no digest can collide), and are small integers afterwards.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Hashable

import numpy as np

from tpuc.ir import Graph, Node, Value

__all__ = ["Identity"]


class Identity:
    """Gives numbers to forms and values; keeps no graph alive."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._digests: dict[int, tuple[weakref.ref[np.ndarray], bytes]] = {}
        self._graphs: weakref.WeakKeyDictionary[Graph, dict[str, int]] = weakref.WeakKeyDictionary()

    def form(self, node: Node) -> int:
        """Number of an op apart from where its operands come from."""
        operands = tuple(self._operand(v) for v in node.inputs)
        results = tuple(_type(v) for v in node.outputs)
        attrs = tuple(sorted(node.attrs.items()))
        return self._number((node.op, attrs, operands, results))

    def names(self, graph: Graph) -> dict[str, int]:
        """Number of every node output of a graph, by its name; the graph must not change."""
        known = self._graphs.get(graph)
        if known is None:
            known = self._graphs[graph] = self._names(graph)
        return known

    def _names(self, graph: Graph) -> dict[str, int]:
        found: dict[str, int] = {}
        for node in graph.nodes:
            if node.op == "Input":
                found[node.name] = self._number(("Input", node.name))
                continue
            sources = tuple(found[v.name] for v in node.activations)
            producer = (self.form(node), sources)
            for index, value in enumerate(node.outputs):
                found[value.name] = self._number((producer, index))
        return found

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _operand(self, value: Value | None) -> Hashable:
        if value is None:
            return None
        if value.data is None:
            return _type(value)
        return _type(value), self._digest(value.data)

    def _digest(self, array: np.ndarray) -> bytes:
        known = self._digests.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        digest = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=32).digest()
        self._digests[id(array)] = (weakref.ref(array), digest)
        return digest


def _type(value: Value) -> Hashable:
    quant = value.quant
    return value.dtype, value.shape, None if quant is None else (quant.scale, quant.zero_point)
