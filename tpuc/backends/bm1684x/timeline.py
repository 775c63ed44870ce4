"""What both engines do, op after op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tpuc.backends.bm1684x.compile import Compiled
from tpuc.backends.bm1684x.cycles import estimate
from tpuc.backends.bm1684x.decode import Decoded, decode_stream

__all__ = ["Part", "cycles_in_all", "parts_of"]


class Part(NamedTuple):
    """Commands of one engine that follow one another and are made for one op."""

    engine: str
    name: str
    kind: str
    start: int
    end: int
    commands: int


def cycles_in_all(compiled: Compiled) -> int:
    """Predicted cycles of one inference."""
    return estimate(*_streams(compiled)).total


def parts_of(compiled: Compiled) -> tuple[Part, ...]:
    """All work of both engines; commands of one op that follow without a wait are one part."""
    streams = _streams(compiled)
    time = estimate(*streams)
    found: list[Part] = []
    for commands, spans, notes in zip(streams, (time.tiu, time.dma), compiled.notes):
        found += _joined(commands, spans, notes)
    return tuple(found)


def _streams(compiled: Compiled) -> tuple[list[Decoded], list[Decoded]]:
    return decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")


def _joined(
    commands: Sequence[Decoded], spans: Sequence[tuple[int, int]], notes: Sequence[str]
) -> list[Part]:
    found: list[Part] = []
    longest = 0
    for command, (start, end), name in zip(commands, spans, notes):
        kind, last = _kind(command), found[-1] if found else None
        same_engine = command.engine == "tiu" or (last is not None and last.kind == kind)
        if last is not None and (last.name, last.end) == (name, start) and same_engine:
            if end - start <= longest:
                kind = last.kind
            longest = max(longest, end - start)
            found[-1] = Part(command.engine, name, kind, last.start, end, last.commands + 1)
        else:
            longest = end - start
            found.append(Part(command.engine, name, kind, start, end, 1))
    return found


def _kind(command: Decoded) -> str:
    if command.engine == "dma":
        return "store" if command["r_high"] else "load"
    return command.kind if command.kind in ("conv", "window") else "other"
