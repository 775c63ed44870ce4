"""Where tensors lie in global memory: inputs and outputs for good, all others while they live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import up
from tpuc.backends.bm1684x.emitter import NEURONS, element_of
from tpuc.backends.bm1684x.rules.movement import ALIASES
from tpuc.ir import Graph, Value

__all__ = ["Plan", "plan_memory"]

_PAGE = 4096


@dataclass(frozen=True)
class Plan:
    """Addresses by name of value, from `NEURONS` on; aliases have the address of what they are."""

    addresses: Mapping[str, int]
    size: int  # bytes
    aliases: frozenset[str]
    roots: Mapping[str, str]  # whose bytes a value has


def plan_memory(graph: Graph) -> Plan:
    """First fit, the largest first; two tensors share bytes only if they never live together."""
    outputs = {v.name for v in graph.outputs}
    root: dict[str, str] = {}
    aliases = set()
    for node in graph.nodes:
        name = node.output.name
        root[name] = name
        if node.op in ALIASES and name not in outputs:
            root[name] = root[node.activations[0].name]
            aliases.add(name)
    lives = _lives(graph, root)
    sizes = {v.name: up(_bytes(v), _PAGE) for v in graph.values() if root[v.name] == v.name}
    placed: list[tuple[int, int, str]] = []
    for name in sorted(sizes, key=lambda n: (-sizes[n], lives[n][0], n)):
        placed.append((_first_fit(placed, lives, sizes[name], name), sizes[name], name))
    starts = {name: NEURONS + start for start, _, name in placed}
    size = max(start + length for start, length, _ in placed)
    return Plan({n: starts[r] for n, r in root.items()}, size, frozenset(aliases), root)


def _bytes(value: Value) -> int:
    return value.size * element_of(value).size


def _lives(graph: Graph, root: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """First and last op that touches each tensor; inputs and outputs live all the time."""
    lives: dict[str, tuple[int, int]] = {}
    for index, node in enumerate(graph.nodes):
        for value in (*node.outputs, *node.activations):
            name = root[value.name]
            lives[name] = lives.get(name, (index, index))[0], index
    for value in (*graph.inputs, *graph.outputs):
        lives[root[value.name]] = 0, len(graph.nodes)
    return lives


def _first_fit(
    placed: list[tuple[int, int, str]], lives: Mapping[str, tuple[int, int]], size: int, name: str
) -> int:
    first, last = lives[name]
    taken = sorted(
        (start, start + length)
        for start, length, other in placed
        if lives[other][0] <= last and first <= lives[other][1]
    )
    at = 0
    for start, end in taken:
        if start - at >= size:
            break
        at = max(at, end)
    return at
