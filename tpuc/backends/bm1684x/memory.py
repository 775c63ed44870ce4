"""Where tensors lie in global memory: those that are stored or loaded there, while they live.

Rules write as if every tensor had a place of its own; what is only made to be joined to others lies
where it will be read. When all commands are known, tensors that
none of them touches lose theirs: they never leave local memory. The others share.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tpuc.backends.bm1684x.command import Command, up
from tpuc.backends.bm1684x.emitter import BUFFERS, NEURONS, element_of
from tpuc.backends.bm1684x.rules.movement import ALIASES
from tpuc.ir import Graph, Node, Value

__all__ = ["Plan", "moved", "plan_memory", "reuse"]

_PAGE = 4096


@dataclass(frozen=True)
class Plan:
    """Addresses by name of value, from `NEURONS` on; aliases have the address of what they are."""

    addresses: Mapping[str, int]
    size: int  # bytes
    aliases: frozenset[str]
    roots: Mapping[str, str]  # whose bytes a value has


def plan_memory(graph: Graph) -> Plan:
    """A place of its own for each tensor, parts of joined ones within those."""
    outputs = {v.name for v in graph.outputs}
    above: dict[str, tuple[str, int]] = {}  # whose bytes a tensor has, from which on
    aliases = set()
    for node in graph.nodes:
        name = node.output.name
        if node.op in ALIASES and name not in outputs:
            above[name] = node.activations[0].name, 0
            aliases.add(name)
        elif node.op == "Concat":
            above |= {v.name: (name, at) for v, at in _parts(node) if v.name not in outputs}
    starts, size = {}, 0
    for value in graph.values():
        if value.name not in above:
            starts[value.name] = NEURONS + size
            size += up(_bytes(value), _PAGE)
    root, addresses = {}, {}
    for value in graph.values():
        name, offset = value.name, 0
        while name in above:
            name, more = above[name]
            offset += more
        root[value.name], addresses[value.name] = name, starts[name] + offset
    return Plan(addresses, size, frozenset(aliases), root)


def _parts(node: Node) -> Iterator[tuple[Value, int]]:
    """Operands that only this op reads and that follow one another in its result: first bytes."""
    shape = node.output.shape
    axis = node.integer("axis") % len(shape)
    at = 0
    for value in node.inputs:
        assert value is not None
        maker = value.producer
        made = maker is not None and maker.op not in ("Input", *ALIASES)
        if made and len(value.uses) == 1 and all(n == 1 for n in shape[:axis]):
            yield value, at
        at += _bytes(value)


def _bytes(value: Value) -> int:
    return value.size * element_of(value).size


def reuse(
    graph: Graph, plan: Plan, commands: Sequence[Command]
) -> tuple[Plan, tuple[Command, ...]]:
    """A plan for what the commands touch, and the same commands with its addresses.

    First fit, the largest first. Two tensors share bytes only if one's last command comes before
    the other's first; inputs and outputs live all the time.
    """
    names, starts = _sorted_starts(plan)

    def name_at(address: int) -> str:
        return names[bisect_right(starts, address) - 1]

    lives: dict[str, tuple[int, int]] = {}
    for index, command in enumerate(commands):
        for _, address in _far_sides(command):
            name = name_at(address)
            lives[name] = lives.get(name, (index, index))[0], index
    for value in (*graph.inputs, *graph.outputs):
        lives[plan.roots[value.name]] = 0, len(commands)
    sizes = {v.name: up(_bytes(v), _PAGE) for v in graph.values() if v.name in lives}
    placed: list[tuple[int, int, str]] = []
    for name in sorted(sizes, key=lambda n: (-sizes[n], lives[n][0], n)):
        placed.append((_first_fit(placed, lives, sizes[name], name), sizes[name], name))
    found = {name: NEURONS + start for start, _, name in placed}
    size = max(start + length for start, length, _ in placed)

    def new_place(address: int) -> int:
        name = name_at(address)
        return address - plan.addresses[name] + found[name]

    addresses = {n: new_place(plan.addresses[n]) for n, r in plan.roots.items() if r in found}
    after = tuple(moved(command, new_place) for command in commands)
    return Plan(addresses, size, plan.aliases, plan.roots), after


def _sorted_starts(plan: Plan) -> tuple[list[str], list[int]]:
    roots = {r: plan.addresses[r] for r in plan.roots.values()}
    names = sorted(roots, key=lambda name: roots[name])
    return names, [roots[name] for name in names]


def moved(command: Command, new_place: Callable[[int], int]) -> Command:
    """A command with other addresses of tensors in global memory."""
    fields = dict(command.fields)
    for side, address in _far_sides(command):
        there = new_place(address)
        fields[f"{side}_low"], fields[f"{side}_high"] = there & 0xFFFFFFFF, there >> 32
    return replace(command, fields=fields)


def _far_sides(command: Command) -> Iterator[tuple[str, int]]:
    """Sides of a DMA command (s, r, i) that are tensors in global memory, and their addresses."""
    if command.engine != "dma":
        return
    for side in ("s", "r", "i"):
        address = command.fields.get(f"{side}_low", 0)
        address |= command.fields.get(f"{side}_high", 0) << 32
        if NEURONS <= address < BUFFERS:
            yield side, address


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
