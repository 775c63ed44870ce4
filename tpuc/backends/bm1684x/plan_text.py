"""The stages before encoding as text: global memory, tiles and places in local memory, schedule."""

from __future__ import annotations

from collections.abc import Sequence

from tpuc.backends.bm1684x.allocate import Placed
from tpuc.backends.bm1684x.command import LANE_BYTES
from tpuc.backends.bm1684x.compile import Compiled, compile_graph, prepared
from tpuc.backends.bm1684x.emitter import NEURONS, Emitter
from tpuc.backends.bm1684x.memory import Plan, plan_memory
from tpuc.backends.bm1684x.placing import emit_graph
from tpuc.backends.bm1684x.timeline import Part, cycles_in_all, parts_of
from tpuc.ir import Graph

__all__ = ["plan_text"]


def plan_text(graph: Graph) -> list[str]:
    """Lines of text for all stages of a network.

    Raises
    ------
    UnsupportedError : an op has no instructions
    """
    compiled = compile_graph(graph)
    graph = prepared(graph)
    emitter, placed, plan = emit_graph(graph, plan_memory(graph))
    return [
        *_global_memory(plan, compiled),
        "",
        *_local_memory(emitter, placed),
        "",
        *_schedule(compiled, parts_of(compiled)),
    ]


def _global_memory(plan: Plan, compiled: Compiled) -> list[str]:
    kept = sorted((at - NEURONS, name) for name, at in plan.addresses.items())
    lines = [
        f"global memory: {len(compiled.coefficients)} bytes of coefficients, "
        f"{plan.size} of tensors",
        f"{'offset':>12}  {'':8}  tensor",
    ]
    for at, name in kept:
        other = f"is {plan.roots[name]}" if name in plan.aliases else ""
        lines.append(f"{at:#12x}  {'alias' if other else 'tensor':8}  {name} {other}".rstrip())
    return lines


def _local_memory(emitter: Emitter, placed: Placed) -> list[str]:
    """Of each op: how many parts, buffers and their addresses, whether its result stays."""
    owners: dict[str, list[int]] = {}
    for number, note in enumerate(emitter.owners):
        if number in placed.addresses:
            owners.setdefault(note, []).append(number)
    stays = {emitter.kept[n]: n for n in placed.addresses if n in emitter.kept}
    lines = [
        f"local memory: {LANE_BYTES} bytes of each lane",
        f"{'buffers':>8} {'bytes':>8}  {'result':14} op: addresses",
    ]
    for name, numbers in owners.items():
        places = [f"{placed.addresses[n]:#x}+{placed.sizes[n]}" for n in numbers]
        total = sum(placed.sizes[n] for n in numbers)
        more = f" ... {len(places) - 8} more" if len(places) > 8 else ""
        where = f"stays {placed.addresses[stays[name]]:#x}" if name in stays else "is stored"
        text = " ".join(places[:8]) + more
        lines.append(f"{len(numbers):8} {total:8}  {where:14} {name}: {text}")
    return lines


def _schedule(compiled: Compiled, parts: Sequence[Part]) -> list[str]:
    lines = [
        f"schedule: {compiled.counts[0] - 1} TIU and {compiled.counts[1] - 1} DMA commands, "
        f"{cycles_in_all(compiled)} cycles predicted",
        f"{'start':>9} {'end':>9}  engine kind    commands  op",
    ]
    for part in sorted(parts, key=lambda p: (p.start, p.engine)):
        lines.append(
            f"{part.start:9} {part.end:9}  {part.engine:6} {part.kind:8} {part.commands:7}  "
            f"{part.name}"
        )
    return lines
