"""Proves that commands in the order of the streams compute what they do op after op.

Op after op every buffer and every tensor has memory of its own; in the streams buffers share local
memory, tensors share global memory. Both compute the same if every command reads, in both, what the
same commands wrote.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from tpuc.backends.bm1684x.allocate import Placed, resolved
from tpuc.backends.bm1684x.command import Command
from tpuc.backends.bm1684x.emitter import BUFFER_STEP
from tpuc.backends.bm1684x.footprint import Footprint, Span, footprint
from tpuc.backends.bm1684x.lives import buffers_of
from tpuc.errors import ArtifactError

__all__ = ["check_meaning"]


def check_meaning(commands: Sequence[Command], placed: Placed) -> None:
    """Check order and places against the commands as they were emitted.

    Parameters
    ----------
    commands : sequence of Command
        With stand-ins for buffers and tensors.

    Raises
    ------
    ArtifactError : a command reads what another one than before wrote, leaves its buffers, or is
        missing
    """
    if sorted(placed.order) != list(range(len(commands))):
        raise ArtifactError("streams: a command is missing or there twice")
    touched = {
        index: footprint(command.kind, command.fields)
        for index, command in zip(placed.order, placed.commands, strict=True)
    }

    def own(index: int, span: Span) -> Span:
        if span.is_global:
            return span
        for _, number, _ in buffers_of(commands[index]):
            start = placed.addresses[number]
            if start <= span.start and span.end <= start + placed.sizes[number]:
                by = number * BUFFER_STEP - start
                return Span(False, span.start + by, span.end + by)
        raise ArtifactError(
            f"{commands[index].kind} '{commands[index].note}': local bytes {span.start} to "
            f"{span.end} are in none of its buffers"
        )

    apart = {i: _apart(c, placed, touched[i]) for i, c in enumerate(commands)}
    first = _sources(apart, range(len(commands)), own)
    second = _sources(touched, placed.order, lambda _, span: span)
    for index, command in enumerate(commands):
        if first[index] != second[index]:
            raise ArtifactError(
                f"{command.kind} '{command.note}': reads what commands {sorted(second[index])} "
                f"wrote; expected {sorted(first[index])}"
            )


def _apart(command: Command, placed: Placed, found: Footprint) -> Footprint:
    """What a command touches while tensors have places of their own."""
    if command.engine == "tiu":
        return found
    return footprint(command.kind, resolved(command, placed.addresses).fields)


def _sources(
    touched: dict[int, Footprint], order: Sequence[int], where: Callable[[int, Span], Span]
) -> dict[int, set[int]]:
    """By command, the commands that wrote what it reads; -1 for what was there at the start."""
    local, far = _Memory(), _Memory()
    found = {}
    for index in order:
        writers: set[int] = set()
        for span in touched[index].reads:
            writers |= (far if span.is_global else local).writers(where(index, span))
        found[index] = writers
        for span in touched[index].writes:
            (far if span.is_global else local).write(where(index, span), index)
    return found


class _Memory:
    """Who wrote each byte last: pieces that follow one another, by their first byte."""

    def __init__(self) -> None:
        self.starts = [0]
        self.names = [-1]

    def _cut(self, at: int) -> int:
        """Index of the piece that begins at a byte."""
        index = bisect_left(self.starts, at)
        if index == len(self.starts) or self.starts[index] != at:
            self.starts.insert(index, at)
            self.names.insert(index, self.names[index - 1])
        return index

    def write(self, span: Span, name: int) -> None:
        first, last = self._cut(span.start), self._cut(span.end)
        self.starts[first:last], self.names[first:last] = [span.start], [name]

    def writers(self, span: Span) -> set[int]:
        first = bisect_right(self.starts, span.start) - 1
        return set(self.names[first : bisect_left(self.starts, span.end)])
