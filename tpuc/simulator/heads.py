"""Heads of attention that are only added up: run as one step where nobody looks at the parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tpuc.ir import Graph, Node, Value
from tpuc.simulator.plain import PlainKernel

__all__ = ["Heads", "find_heads"]


@dataclass(frozen=True)
class Heads:
    """Heads h_0, h_1, ... of one input, and ((h_0 + h_1) + h_2) + ...

    Parameters
    ----------
    parts : tuple of Node
        The heads, in the order in which they are added.
    inner : tuple of str
        Names of the heads and of all sums but the last.
    """

    parts: tuple[Node, ...]
    total: Value
    inner: tuple[str, ...]


def find_heads(graph: Graph, kernels: Mapping[str, PlainKernel]) -> list[Heads]:
    """Groups of at least two heads, all of which run on `kernels`."""
    outputs = {v.name for v in graph.outputs}
    found = []
    for node in graph.nodes:
        if _is_sum(node, kernels) and not any(_is_sum(u, kernels) for u in node.output.users):
            chain = list(_chain(node, kernels, outputs))
            if len(chain) > 1 and _alike(chain):
                inner = {v.name for part in chain for v in (part.output, *_sums(part, node))}
                found.append(Heads(tuple(chain[::-1]), node.output, tuple(sorted(inner))))
    return found


def _is_sum(node: Node, kernels: Mapping[str, PlainKernel]) -> bool:
    return node.op == "Add" and node.name in kernels


def _is_head(node: Node | None, kernels: Mapping[str, PlainKernel], outputs: set[str]) -> bool:
    if node is None or node.name not in kernels or kernels[node.name].head is None:
        return False
    return len(node.output.users) == 1 and node.name not in outputs


def _chain(last: Node, kernels: Mapping[str, PlainKernel], outputs: set[str]) -> Iterator[Node]:
    """Heads from the last one back to the first; nothing if something else is added."""
    node = last
    while True:
        left, right = (v.producer if v is not None else None for v in node.inputs)
        if left is None or right is None or not _is_head(right, kernels, outputs):
            return
        yield right
        if _is_head(left, kernels, outputs):
            yield left
            return
        private = len(left.output.users) == 1 and left.name not in outputs
        if not (_is_sum(left, kernels) and private):
            return
        node = left


def _alike(chain: list[Node]) -> bool:
    """Whether the chain ends at a first head, and all read the same tensors."""
    first = chain[-1]
    complete = any(u.op == "Add" and u.inputs[0] is first.output for u in first.output.users)
    sources = [[id(v) for v in node.activations] for node in chain]
    return complete and all(s == sources[0] for s in sources)


def _sums(part: Node, last: Node) -> list[Value]:
    return [u.output for u in part.output.users if u is not last]
