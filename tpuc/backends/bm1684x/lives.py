"""Buffers of local memory: how long they live, and a place for each.

A buffer lives from the first to the last command that touches it. Times are slots: TIU command i
runs in slot 2 i + 1, DMA commands between i - 1 and i in slot 2 i.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x.command import LANE_BYTES, LOCAL, Command
from tpuc.backends.bm1684x.emitter import BUFFER_STEP, BUFFERS, NoRoom

__all__ = ["Buffer", "Lives", "NoPlace", "buffers_of"]


class NoPlace(NoRoom):
    """Buffers that live at the same time do not fit.

    Parameters
    ----------
    numbers : tuple of int
        Those buffers.
    """

    def __init__(self, message: str, numbers: tuple[int, ...]) -> None:
        super().__init__(message)
        self.numbers = numbers


def buffers_of(command: Command) -> Iterator[tuple[str, int, int]]:
    """(field, buffer, byte within it) of all addresses in local memory."""
    base = BUFFERS + (LOCAL if command.engine == "dma" else 0)
    for name, value in command.fields.items():
        if value >= BUFFERS:
            number, offset = divmod(value - base, BUFFER_STEP)
            yield name, number, offset


@dataclass
class Buffer:
    """Bytes, and the slots of its life; a load may move `first` forward."""

    size: int
    first: int
    last: int
    loads: list[int]  # commands that fill it before the TIU sees it


class Lives:
    """What is known of commands and buffers, and the places found so far."""

    def __init__(self, commands: Sequence[Command], sizes: Sequence[int]) -> None:
        self.commands = commands
        self.slots = _slots(commands)
        self.tiu = [i for i, c in enumerate(commands) if c.engine == "tiu"]
        self.dma = [i for i, c in enumerate(commands) if c.engine == "dma"]
        self.touched = {i: {n for _, n, _ in buffers_of(c)} for i, c in enumerate(commands)}
        self.buffers = self._lives(sizes)
        self.addresses: dict[int, int] = {}

    def _lives(self, sizes: Sequence[int]) -> dict[int, Buffer]:
        touches = defaultdict(list)
        for index in range(len(self.commands)):
            for number in self.touched[index]:
                touches[number].append(index)
        found = {}
        for number, indices in touches.items():
            loads = []
            for index in indices:
                if not _fills(self.commands[index]):
                    break
                loads.append(index)
            used = indices[len(loads) :] or indices
            slot = self.slots[used[0]]
            first = slot - slot % 2 if loads else self.slots[indices[0]]
            found[number] = Buffer(sizes[number], first, self.slots[indices[-1]], loads)
        return found

    def reserve(self, longest_first: bool) -> None:
        """A place for all, loads as late as possible: the largest first, or those that live long.

        Raises
        ------
        NoPlace : there is too little local memory
        """
        lives = self.buffers

        def largest(number: int) -> tuple[int, ...]:
            return -lives[number].size, number

        def longest(number: int) -> tuple[int, ...]:
            return lives[number].first - lives[number].last, -lives[number].size, number

        self._reserve(sorted(lives, key=longest if longest_first else largest))

    def _reserve(self, order: Sequence[int]) -> None:
        spans = np.zeros((len(order), 4), np.int64)  # first, last, start, end
        for count, number in enumerate(order):
            mine = self.buffers[number]
            others = spans[:count]
            same = others[(others[:, 0] <= mine.last) & (others[:, 1] >= mine.first)]
            start = _first_fit(same[:, 2:], mine.size)
            if start is None:
                live = tuple(n for n in order[: count + 1] if self._meet(n, mine))
                note = self.commands[self._someone(number)].note
                raise NoPlace(f"'{note}': local memory is full", live)
            self.addresses[number] = start
            spans[count] = mine.first, mine.last, start, start + mine.size

    def _meet(self, number: int, mine: Buffer) -> bool:
        other = self.buffers[number]
        return other.first <= mine.last and other.last >= mine.first

    def _someone(self, number: int) -> int:
        return next(i for i, touched in self.touched.items() if number in touched)


def _slots(commands: Sequence[Command]) -> list[int]:
    found, count = [], 0
    for command in commands:
        if command.engine == "tiu":
            found.append(2 * count + 1)
            count += 1
        else:
            found.append(2 * count)
    return found


def _fills(command: Command) -> bool:
    """Whether it only writes local memory."""
    return command.engine == "dma" and command.fields["r_low"] >= BUFFERS > command.fields["s_low"]


def _first_fit(taken: np.ndarray, size: int) -> int | None:
    at = 0
    for start, end in sorted(map(tuple, taken.tolist())):
        if start - at >= size:
            break
        at = max(at, end)
    return at if at + size <= LANE_BYTES else None
