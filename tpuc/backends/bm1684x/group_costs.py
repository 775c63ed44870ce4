"""What a group would cost: cycles and bytes of each lane, from two trials of each op.

Cycles and bytes of an op grow with its rows. Each op is tried with few rows and with twice as many;
what lies between, or beyond, is taken on the line through both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tpuc.backends.bm1684x.bands import Group, in_bands_of
from tpuc.backends.bm1684x.command import LANE_BYTES, LANES, Local, up
from tpuc.backends.bm1684x.cycles import cycles_of
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.rule import shape_of
from tpuc.backends.bm1684x.tiling import Axis, Band, band_of
from tpuc.ir import Node, Value

__all__ = ["OpCost", "cost_of", "may_stay_whole", "probe"]

_ROWS = 8
_LOADED, _STORED = 54.02, 40.98  # bytes in a cycle
_LARGEST = LANE_BYTES // 3  # of a tensor that stays


@dataclass(frozen=True)
class _Line:
    """a + b * rows."""

    a: float
    b: float

    def at(self, rows: int) -> float:
        return self.a + self.b * rows


@dataclass(frozen=True)
class OpCost:
    """Of an op by rows of its result: cycles of both engines, bytes of a lane besides operands.

    Parameters
    ----------
    weights : int
        Bytes of a lane for its coefficients.
    takes_far : bool
        Its operand is read from global memory, in its own way: `dma` has the cycles.
    """

    tiu: _Line
    dma: _Line
    bytes: _Line
    weights: int
    takes_far: bool


def lane_bytes(value: Value, rows: int) -> int:
    """Bytes of a lane for some rows of a tensor."""
    _, c, _, w = shape_of(value)
    return -(-c // LANES) * up(rows * w * element_of(value).size)


def all_bytes(value: Value, rows: int) -> int:
    """Bytes of global memory for some rows of a tensor."""
    _, c, _, w = shape_of(value)
    return c * rows * w * element_of(value).size


def may_stay_whole(value: Value) -> bool:
    """Whether a tensor is small enough to lie in local memory beside the work of a group."""
    return lane_bytes(value, shape_of(value)[2]) <= _LARGEST


def probe(node: Node, axis: Axis, addresses: Mapping[str, int], is_far: bool) -> OpCost:
    """Try an op twice.

    Raises
    ------
    NoRoom : it can not work in bands
    """
    e = Emitter(addresses)
    e.begin(node)
    how = in_bands_of(node)
    assert how is not None
    step = how.start(e, node, is_far)
    weights = sum(e.sizes)
    high = min(axis.out, _ROWS)
    found = []
    for rows in (max(1, high // 2), high):
        first = (axis.out - rows) // 2
        band = band_of(axis, first, first + rows)
        with e.scope():
            operands = [_operand(e, v, band, step.takes_far) for v in node.activations]
            before = len(e.commands), len(e.sizes)
            step.run(operands, band)
            made = e.commands[before[0] :]
            tiu, dma = (sum(cycles_of(c) for c in made if c.engine == k) for k in ("tiu", "dma"))
            found.append((rows, tiu, dma, sum(e.sizes[before[1] :])))
    lines = [_through(found, column) for column in (1, 2, 3)]
    return OpCost(lines[0], lines[1], lines[2], weights, step.takes_far)


def _operand(e: Emitter, value: Value, band: Band, is_far: bool) -> Local | Remote:
    n, c, h, w = shape_of(value)
    if is_far:
        return e.remote(value, (n, c, h, w)).at((0, 0, band.start, 0), element_of(value))
    return e.take((n, c, band.stop - band.start, w), element_of(value))


def _through(points: list[tuple[int, int, int, int]], column: int) -> _Line:
    (low, *_), (high, *_) = points
    y0, y1 = points[0][column], points[1][column]
    slope = (y1 - y0) / (high - low) if high > low else y1 / high
    return _Line(y1 - slope * high, slope)


def cost_of(
    group: Group, ops: Mapping[str, OpCost], stays: frozenset[str], room: int
) -> float | None:
    """Cycles of a group; None if a band does not fit `room` bytes of a lane.

    Parameters
    ----------
    stays : frozenset of str
        Inputs and results that lie in local memory whole.
    """
    try:
        rows = group.rows(group.count // 2)
    except NoRoom:
        return None
    counts = {name: last - first for name, (first, last) in rows.items()}
    tiu = sum(ops[n.name].tiu.at(counts[n.name]) for n in group.nodes)
    dma = sum(ops[n.name].dma.at(counts[n.name]) for n in group.nodes)
    fixed = sum(ops[n.name].weights for n in group.nodes)
    far = {n.activations[0].name for n in group.nodes if ops[n.name].takes_far}
    loaded = 0
    for value in group.inputs:
        if value.name in stays:
            fixed += lane_bytes(value, shape_of(value)[2])
        elif value.name not in far:
            dma += all_bytes(value, counts[value.name]) / _LOADED
            loaded += lane_bytes(value, counts[value.name])
    for node in group.nodes:
        if node.name in group.outside:
            if node.name in stays:
                fixed += lane_bytes(node.output, shape_of(node.output)[2])
            else:
                dma += all_bytes(node.output, shape_of(node.output)[2]) / group.count / _STORED
    again = loaded if group.count > 1 else 0  # while one band is computed, the next is loaded
    if fixed + again + _most_at_once(group, ops, counts, far) > room:
        return None
    return group.count * max(tiu, dma) + min(tiu, dma)


def _most_at_once(
    group: Group, ops: Mapping[str, OpCost], counts: Mapping[str, int], far: set[str]
) -> float:
    """Bytes of a lane that a band's rows take while the hungriest op works."""
    last = {v.name: i for i, n in enumerate(group.nodes) for v in n.activations}
    live: dict[str, int] = {}
    most = 0.0
    for index, node in enumerate(group.nodes):
        for value in node.activations:
            if value.name not in far:
                live.setdefault(value.name, lane_bytes(value, counts[value.name]))
        most = max(most, sum(live.values()) + ops[node.name].bytes.at(counts[node.name]))
        live[node.name] = lane_bytes(node.output, counts[node.name])
        for name in [n for n in live if last.get(n, -1) <= index]:
            del live[name]
    return most
