"""Serial numbers and waits of the two engines.

Commands come in the order in which they would run one after another. Each engine keeps that order;
a command waits for the last command of the other engine that it must not overtake: one that writes
what it reads or writes, or reads what it writes. Everything else may run at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import Command
from tpuc.backends.bm1684x.cycles import by_the_clock, cycles_of
from tpuc.backends.bm1684x.footprint import Footprint, Span, footprint

__all__ = ["Schedule", "conflict", "predicted", "schedule"]


@dataclass(frozen=True)
class Schedule:
    """Commands of both engines; `waits[engine][i]` belongs to serial number i + 1."""

    tiu: tuple[Command, ...]
    dma: tuple[Command, ...]
    tiu_waits: tuple[int, ...]
    dma_waits: tuple[int, ...]


def schedule(commands: Iterable[Command]) -> Schedule:
    """Two streams from one list; a wait never falls below that of the command before it."""
    streams: dict[str, list[Command]] = {"tiu": [], "dma": []}
    waits: dict[str, list[int]] = {"tiu": [], "dma": []}
    touched: dict[str, list[Footprint]] = {"tiu": [], "dma": []}
    for command in commands:
        engine = command.engine
        mine = footprint(command.kind, command.fields)
        floor = waits[engine][-1] if waits[engine] else 0
        others = touched["dma" if engine == "tiu" else "tiu"]
        waits[engine].append(_last_conflict(mine, others, floor))
        streams[engine].append(command)
        touched[engine].append(mine)
    return Schedule(
        tuple(streams["tiu"]), tuple(streams["dma"]), tuple(waits["tiu"]), tuple(waits["dma"])
    )


def predicted(commands: Iterable[Command]) -> int:
    """Cycles that both engines take in all."""
    plan = schedule(commands)
    costs = {"tiu": [cycles_of(c) for c in plan.tiu], "dma": [cycles_of(c) for c in plan.dma]}
    return by_the_clock(costs, {"tiu": plan.tiu_waits, "dma": plan.dma_waits}).total


def _last_conflict(mine: Footprint, others: Sequence[Footprint], floor: int) -> int:
    for serial in range(len(others), floor, -1):
        if conflict(mine, others[serial - 1]):
            return serial
    return floor


def conflict(a: Footprint, b: Footprint) -> bool:
    """Whether two commands must keep their order."""
    return _meet(a.writes, (*b.reads, *b.writes)) or _meet(a.reads, b.writes)


def _meet(some: Sequence[Span], more: Sequence[Span]) -> bool:
    return any(
        s.is_global == m.is_global and s.start < m.end and m.start < s.end
        for s in some
        for m in more
    )
