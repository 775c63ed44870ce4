"""A layered drawing of a graph: every op below all that it reads, lines as straight as they go.

After Sugiyama, Tagawa and Toda (1981): ranks by the longest path; places along a rank by
barycenters, which of all sweeps crosses least; coordinates that are nearest to the neighbours',
least squares under the order of the rank (pool adjacent violators).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Drawing", "draw"]

_BEND_WIDTH = 0.3  # of an op's, for a line that passes a rank
_FIRM = 200.0  # how much more an op keeps its place than a line that passes
_SWEEPS = 8


@dataclass(frozen=True)
class Drawing:
    """Where ops and lines are.

    Parameters
    ----------
    x : tuple of float
        Middle of each op, in widths of an op; the leftmost edge of anything is 0.
    rank : tuple of int
        Row of each op, from the top.
    lines : tuple of (from, to, bends)
        Bends are (x, rank) that the line passes, from the top down.
    width : float
    """

    x: tuple[float, ...]
    rank: tuple[int, ...]
    lines: tuple[tuple[int, int, tuple[tuple[float, int], ...]], ...]
    width: float


@dataclass
class _Net:
    """Ops and, after them, the places where long lines pass a rank."""

    rank: list[int]
    size: int
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)

    def bend(self, rank: int) -> int:
        self.rank.append(rank)
        self.above.append([])
        self.below.append([])
        return len(self.rank) - 1

    def join(self, upper: int, lower: int) -> None:
        if upper not in self.above[lower]:
            self.above[lower].append(upper)
            self.below[upper].append(lower)

    def width(self, item: int) -> float:
        return 1.0 if item < self.size else _BEND_WIDTH


def draw(inputs: Sequence[Sequence[int]]) -> Drawing:
    """Draw a graph whose ops stand in an order of execution.

    Parameters
    ----------
    inputs : sequence of sequence of int
        For each op the numbers of those that it reads, all smaller than its own.
    """
    ranks = _ranks(inputs)
    net = _Net(list(ranks), len(ranks), [[] for _ in ranks], [[] for _ in ranks])
    routes = _routes(net, inputs)
    rows: list[list[int]] = [[] for _ in range(max(net.rank, default=-1) + 1)]
    for item, rank in enumerate(net.rank):
        rows[rank].append(item)
    rows = _ordered(net, rows)
    x = _places(net, rows)
    left = min((x[i] - net.width(i) / 2 for i in range(len(x))), default=0.0)
    right = max((x[i] + net.width(i) / 2 for i in range(len(x))), default=0.0)
    lines = tuple(
        (a, b, tuple((x[bend] - left, net.rank[bend]) for bend in bends)) for a, b, bends in routes
    )
    return Drawing(tuple(v - left for v in x[: net.size]), tuple(ranks), lines, right - left)


def _ranks(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Longest path from the top; what reads nothing stands just above its first reader."""
    ranks = [0] * len(inputs)
    first: dict[int, int] = {}
    for op, read in enumerate(inputs):
        ranks[op] = max((ranks[i] + 1 for i in read), default=0)
        for i in read:
            first[i] = min(first.get(i, ranks[op]), ranks[op])
    return [
        max(first.get(op, 1) - 1, 0) if not read else rank
        for op, (read, rank) in enumerate(zip(inputs, ranks))
    ]


def _routes(net: _Net, inputs: Sequence[Sequence[int]]) -> list[tuple[int, int, list[int]]]:
    """Give long lines a bend in each rank that they pass; lines of one op share them."""
    trunks: dict[int, list[int]] = {}
    routes = []
    for op, read in enumerate(inputs):
        for source in dict.fromkeys(read):
            trunk = trunks.setdefault(source, [source])
            while net.rank[trunk[-1]] < net.rank[op] - 1:
                trunk.append(net.bend(net.rank[trunk[-1]] + 1))
                net.join(trunk[-2], trunk[-1])
            passed = trunk[: net.rank[op] - net.rank[source]]
            net.join(passed[-1], op)
            routes.append((source, op, passed[1:]))
    return routes


def _ordered(net: _Net, rows: list[list[int]]) -> list[list[int]]:
    best, least = rows, _crossings(net, rows)
    for sweep in range(_SWEEPS):
        if least == 0:
            break
        rows = [list(row) for row in rows]
        down = sweep % 2 == 0
        for rank in range(len(rows)) if down else reversed(range(len(rows))):
            beside = rank - 1 if down else rank + 1
            if 0 <= beside < len(rows):
                neighbours = net.above if down else net.below
                _sort(rows[rank], rows[beside], neighbours)
        found = _crossings(net, rows)
        if found < least:
            best, least = rows, found
    return best


def _sort(row: list[int], beside: list[int], neighbours: list[list[int]]) -> None:
    """Order a row by the mean place of its neighbours; what has none keeps its place."""
    place = {item: i for i, item in enumerate(beside)}
    wanted = {
        item: sum(place[n] for n in neighbours[item]) / len(neighbours[item])
        if neighbours[item]
        else float(i)
        for i, item in enumerate(row)
    }
    row.sort(key=lambda item: wanted[item])


def _crossings(net: _Net, rows: list[list[int]]) -> int:
    total = 0
    for upper, lower in zip(rows, rows[1:]):
        place = {item: i for i, item in enumerate(lower)}
        ends = [p for item in upper for p in sorted(place[b] for b in net.below[item])]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _places(net: _Net, rows: list[list[int]]) -> list[float]:
    x = [0.0] * len(net.rank)
    for row in rows:
        for item, place in zip(row, _spread(net, row, [0.0] * len(row), [1.0] * len(row))):
            x[item] = place
    for sweep in range(2 * _SWEEPS + 1):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = [_wish(net, item, x, down) for item in row]
            places = _spread(net, row, [w[0] for w in wanted], [w[1] for w in wanted])
            for item, place in zip(row, places):
                x[item] = place
    return x


def _wish(net: _Net, item: int, x: list[float], down: bool) -> tuple[float, float]:
    """Where an item would like to be, and how much."""
    near = net.above[item] if down else net.below[item]
    near = [n for n in near if n < net.size] or near  # an op stays under ops, not under lines
    if not near:
        return x[item], 0.1
    return sum(x[n] for n in near) / len(near), _FIRM if item < net.size else 1.0


def _spread(net: _Net, row: list[int], wanted: list[float], weights: list[float]) -> list[float]:
    """Places nearest to the wanted ones at which no two items of a row overlap."""
    offsets, at = [], 0.0
    for before, item in zip([None, *row], row):
        if before is not None:
            at += (net.width(before) + net.width(item)) / 2 + 0.14
        offsets.append(at)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, items
    for want, offset, weight in zip(wanted, offsets, weights):
        mean, total, count = want - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, heavy, items = blocks.pop()
            mean = (mean * total + other * heavy) / (total + heavy)
            total, count = total + heavy, count + items
        blocks.append((mean, total, count))
    means = [mean for mean, _, items in blocks for _ in range(items)]
    return [mean + offset for mean, offset in zip(means, offsets)]
