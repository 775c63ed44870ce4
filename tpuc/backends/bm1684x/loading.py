"""When the DMA loads: as early as there is a free place and it has nothing else to do.

Weights of ops to come, and the next tile, arrive while the TIU computes. Both engines run by the
clock of `cycles`; loads keep the order in which they are needed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x.command import LANE_BYTES, Command
from tpuc.backends.bm1684x.cycles import cycles_of
from tpuc.backends.bm1684x.emitter import BUFFERS
from tpuc.backends.bm1684x.lives import Lives

__all__ = ["Loader"]


class Loader:
    """Runs both engines by the clock, and issues DMA commands when they can start."""

    def __init__(self, work: Lives) -> None:
        self.work = work
        self.cycles = [cycles_of(c) for c in work.commands]
        moved = _movable(work)
        moving = {i for n in moved for i in work.buffers[n].loads}
        self.loads = moved[::-1]
        self.fixed = [i for i in work.dma if i not in moving][::-1]
        self.sides = {i: _global_sides(work.commands[i]) for i in work.dma}
        self.after = {n: self._last_writer(n) for n in moved}
        self.done = [0]  # end of each TIU command, one ahead
        self.idle = 0  # when the DMA is
        self.slot = 0  # of the last DMA command
        self.arrived: dict[int, int] = {}  # end of what the DMA wrote to a buffer
        self.issued: list[tuple[int, int]] = []  # slot, command

    def order(self) -> list[int]:
        """All commands, as they would run one after another."""
        while self.loads or self.fixed:
            choice = self._choice() if self.loads else None
            if choice is not None and (not self.fixed or self._is_better(choice)):
                self._load(self.loads.pop(), choice)
            else:
                self._issue(self.fixed.pop())
        merged = [(slot, k, i) for k, (slot, i) in enumerate(self.issued)]
        merged += [(self.work.slots[i], 0, i) for i in self.work.tiu]
        return [i for _, _, i in sorted(merged)]

    def _choice(self) -> _Choice | None:
        """Where and when the next load can go, before the next other DMA command."""
        work, number = self.work, self.loads[-1]
        mine = work.buffers[number]
        limit = min(mine.first, work.slots[self.fixed[-1]] if self.fixed else mine.first)
        self._run(limit)
        slot = max(self.slot, min(2 * bisect_right(self.done, self.idle) - 2, limit))
        others = np.array(
            [
                (_free_from(b.last, limit), work.addresses[n], work.addresses[n] + b.size)
                for n, b in work.buffers.items()
                if b.first <= mine.last and b.last >= slot and n != number
            ],
            np.int64,
        ).reshape(-1, 3)
        return _best(others, mine.size, slot, limit)

    def _is_better(self, choice: _Choice) -> bool:
        """Whether the next load goes before the next other DMA command."""
        work, other, number = self.work, self.fixed[-1], self.loads[-1]
        mine, command = work.buffers[number], work.commands[other]
        if mine.first < work.slots[other] or number in work.touched[other]:
            return True
        if any(self._overwrites(other, n) for n in self.loads):
            return True
        if self.after[number] >= other:
            return False
        start = max(self.idle, self.done[choice.slot // 2])
        ready = self.done[work.slots[other] // 2]
        is_store = command.fields["r_low"] < BUFFERS
        cost = sum(self.cycles[i] for i in mine.loads)
        return start + cost <= ready or (is_store and start < ready)

    def _last_writer(self, number: int) -> int:
        """The last command before a load that writes what it reads from global memory; or -1."""
        loads = self.work.buffers[number].loads
        reads = [span for i in loads for span in self.sides[i][0]]
        writers = (i for i in self.fixed if i < loads[-1] and _meet(self.sides[i][1], reads))
        return max(writers, default=-1)

    def _overwrites(self, other: int, number: int) -> bool:
        """Whether a command writes what an earlier load still has to read."""
        loads = self.work.buffers[number].loads
        return any(i < other and _meet(self.sides[other][1], self.sides[i][0]) for i in loads)

    def _load(self, number: int, choice: _Choice) -> None:
        mine = self.work.buffers[number]
        self.work.addresses[number], mine.first = choice.address, choice.slot
        for index in mine.loads:
            self._issue(index, choice.slot)

    def _issue(self, index: int, slot: int | None = None) -> None:
        slot = self.work.slots[index] if slot is None else slot
        self._run(slot)
        self.slot = slot
        self.idle = max(self.idle, self.done[slot // 2]) + self.cycles[index]
        for number in self.work.touched[index]:
            self.arrived[number] = self.idle
        self.issued.append((slot, index))

    def _run(self, slot: int) -> None:
        """The clock of the TIU, up to a slot."""
        while 2 * len(self.done) - 1 <= slot:
            index = self.work.tiu[len(self.done) - 1]
            start = max((self.arrived.get(n, 0) for n in self.work.touched[index]), default=0)
            self.done.append(max(self.done[-1], start) + self.cycles[index])


@dataclass(frozen=True)
class _Choice:
    """An address, and the slot from which it is free."""

    slot: int
    address: int


def _best(others: np.ndarray, size: int, slot: int, limit: int) -> _Choice | None:
    """The place that is free first; among those the narrowest.

    `others`: (slot from which it is free, start, end) of buffers that may be in the way.
    """
    free, starts, ends = others.T
    places = np.unique(np.concatenate([[0], ends, starts - size, [LANE_BYTES - size]]))
    places = places[(places >= 0) & (places + size <= LANE_BYTES)]
    meets = (starts < places[:, None] + size) & (places[:, None] < ends)
    when = np.where(meets, free, slot).max(axis=1, initial=slot)
    below = np.where(ends <= places[:, None], ends, 0).max(axis=1, initial=0)
    above = np.where(starts >= places[:, None] + size, starts, LANE_BYTES)
    room = above.min(axis=1, initial=LANE_BYTES) - below
    best = np.lexsort((places, room, when))[0]
    return _Choice(int(when[best]), int(places[best])) if when[best] <= limit else None


def _free_from(last: int, limit: int) -> int:
    """First slot of the DMA in which a place is free after its last use.

    A store in a slot may still be to come in that slot.
    """
    return last + 1 if last % 2 else last + (2 if last >= limit else 0)


def _movable(work: Lives) -> list[int]:
    """Buffers that are loaded from global memory, by when they are needed."""
    found = [
        n
        for n, b in work.buffers.items()
        if b.loads and all(work.commands[i].fields["s_high"] for i in b.loads)
    ]
    return sorted(found, key=lambda n: (work.buffers[n].first, work.buffers[n].loads[0]))


Bytes = tuple[int, int]


def _global_sides(command: Command) -> tuple[list[Bytes], list[Bytes]]:
    """Global memory that a DMA command reads, and writes."""
    f = command.fields
    found: list[list[Bytes]] = []
    for side in ("s", "r"):
        address = f[f"{side}_low"] | f[f"{side}_high"] << 32
        if address >= BUFFERS:
            found.append([])
            continue
        counts = [f.get(f"{side}_{a}") or f.get(f"s_{a}", 1) for a in "nchw"]
        steps = [f.get(f"{side}_{a}str", 0) for a in "nchw"]
        length = sum((max(n, 1) - 1) * s for n, s in zip(counts, steps)) + max(counts[3], 1)
        found.append([(address, address + 4 * length)])
    return found[0], found[1]


def _meet(some: list[Bytes], more: list[Bytes]) -> bool:
    return any(a < d and c < b for a, b in some for c, d in more)
