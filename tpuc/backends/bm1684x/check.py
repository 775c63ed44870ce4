"""Proves that two streams can not race.

Read back from the bytes alone. Engine X's command i comes before Y's command j if some command of
Y up to j waits for i or later; within an engine commands keep their order. The proof:

1. waits can be fulfilled: one order of all commands exists;
2. every two commands of different engines that touch the same bytes, one of them writing, are
   ordered one way, so that every order that the chip may choose gives what that one gives;
3. in that order nothing is read that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.footprint import Span, footprint
from tpuc.errors import ArtifactError

__all__ = ["check_streams", "legal_order"]


def check_streams(
    tiu: Sequence[Decoded], dma: Sequence[Decoded], given: Iterable[tuple[int, int]]
) -> None:
    """Check the synchronisation of two decoded streams.

    Parameters
    ----------
    given : pairs of int
        Addresses of global memory that are filled before the start: weights and inputs.

    Raises
    ------
    ArtifactError : a command that can never start, that may overtake another, or that reads what
        nobody wrote
    """
    order = legal_order(tiu, dma)
    _check_pairs(tiu, dma)
    known = _Known()
    for start, end in given:
        known.add(Span(True, start, end))
    for command in order:
        touched = footprint(command.kind, command.fields)
        for span in touched.reads:
            if not known.covers(span):
                raise ArtifactError(
                    f"{_name(command)} reads {_where(span)}, which nobody wrote before"
                )
        for span in touched.writes:
            known.add(span)


def legal_order(
    tiu: Sequence[Decoded], dma: Sequence[Decoded], first: str = "dma"
) -> list[Decoded]:
    """All commands in an order that the waits allow; `first` goes ahead as far as it may.

    Raises
    ------
    ArtifactError : both engines wait for each other, or for what never comes
    """
    streams = {"tiu": tiu, "dma": dma}
    done = {"tiu": 0, "dma": 0}
    second = "tiu" if first == "dma" else "dma"
    order: list[Decoded] = []
    while len(order) < len(tiu) + len(dma):
        for mine, other in ((first, second), (second, first)):
            stream, at = streams[mine], done[mine]
            if at < len(stream) and stream[at].wait <= done[other]:
                order.append(stream[at])
                done[mine] += 1
                break
        else:
            stuck = [s[done[e]] for e, s in streams.items() if done[e] < len(s)]
            raise ArtifactError(f"{_name(stuck[0])} waits for {stuck[0].wait}, which never comes")
    return order


def _check_pairs(tiu: Sequence[Decoded], dma: Sequence[Decoded]) -> None:
    """Point 2: for each TIU command, all DMA spans at once."""
    waits = {
        "tiu": np.maximum.accumulate(np.array([0, *(c.wait for c in tiu)])),
        "dma": np.maximum.accumulate(np.array([0, *(c.wait for c in dma)])),
    }
    reads, writes = _spans(dma, 0), _spans(dma, 1)
    for command in tiu:
        mine = footprint(command.kind, command.fields)
        for spans, against in ((mine.writes, reads), (mine.writes, writes), (mine.reads, writes)):
            for span in spans:
                serials = _meeting(span, against)
                before = serials <= waits["tiu"][command.serial]
                after = waits["dma"][serials] >= command.serial
                loose = serials[~(before | after)]
                if len(loose):
                    raise ArtifactError(
                        f"{_name(command)} and {_name(dma[int(loose[0]) - 1])} both use "
                        f"{_where(span)} and are in no order"
                    )


def _spans(commands: Sequence[Decoded], which: int) -> np.ndarray:
    """(serial, is global, start, end) of all reads (0) or writes (1)."""
    rows = [
        (c.serial, int(s.is_global), s.start, s.end)
        for c in commands
        for s in footprint(c.kind, c.fields)[which]
    ]
    return np.array(rows, np.int64).reshape(-1, 4)


def _meeting(span: Span, spans: np.ndarray) -> np.ndarray:
    same = spans[:, 1] == span.is_global
    return spans[same & (spans[:, 2] < span.end) & (span.start < spans[:, 3]), 0]


class _Known:
    """Bytes that were written: sorted spans that do not touch, per memory."""

    def __init__(self) -> None:
        self.spans: dict[bool, list[tuple[int, int]]] = {True: [], False: []}

    def add(self, span: Span) -> None:
        start, end = span.start, span.end
        kept = []
        for low, high in self.spans[span.is_global]:
            if high < start or low > end:
                kept.append((low, high))
            else:
                start, end = min(start, low), max(end, high)
        self.spans[span.is_global] = sorted([*kept, (start, end)])

    def covers(self, span: Span) -> bool:
        spans = self.spans[span.is_global]
        return any(low <= span.start and span.end <= high for low, high in spans)


def _name(command: Decoded) -> str:
    return f"{command.engine} command {command.serial} ({command.kind})"


def _where(span: Span) -> str:
    memory = "global" if span.is_global else "local"
    return f"{memory} bytes 0x{span.start:x} to 0x{span.end:x}"
