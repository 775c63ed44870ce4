"""Commands of a group: coefficients once, then band after band, op after op.

Rows go from op to op in local memory. What others read is stored, or gathered band by band into
the whole tensor that stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.bands import Group, Span, in_bands_of
from tpuc.backends.bm1684x.command import Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote, buffer_of, element_of
from tpuc.backends.bm1684x.rules.rule import Step, shape_of
from tpuc.backends.bm1684x.tiling import band_of
from tpuc.ir import Node, Value

__all__ = ["emit_group"]


def emit_group(e: Emitter, group: Group, stays: Callable[[str], bool]) -> None:
    """Append all commands of a group.

    Parameters
    ----------
    stays : function of a value's name
        Whether a result that others read stays in local memory.

    Raises
    ------
    NoRoom : coefficients, or an op of a band, do not fit
    """
    e.begin(group.nodes[0])
    work = _Work(e, group, {}, {})
    for node in group.nodes:
        how = in_bands_of(node)
        assert how is not None
        e.note = node.name
        work.steps[node.name] = how.start(e, node, work.is_far(node.activations[0]))
    for node in group.nodes:
        if node.name in group.outside and stays(node.name):
            e.note = node.name
            place = e.take(shape_of(node.output), element_of(node.output))
            work.whole[node.name] = place
    for band in range(group.count):
        _Band(work, band, group.rows(band)).run()
    for name, place in work.whole.items():
        e.residents[name] = place
        e.kept[buffer_of(place)] = name


@dataclass(frozen=True)
class _Work:
    e: Emitter
    group: Group
    steps: dict[str, Step]
    whole: dict[str, Local]  # results that stay

    def is_far(self, value: Value) -> bool:
        return value.name not in self.e.residents and value.name not in self.group.names


class _Band:
    """One band: rows of tensors in local memory, by name."""

    def __init__(self, work: _Work, number: int, rows: dict[str, Span]) -> None:
        self.work, self.number, self.rows = work, number, rows
        self.places: dict[str, Local] = {}

    def run(self) -> None:
        e, group = self.work.e, self.work.group
        for node in group.nodes:
            e.note = node.name
            with e.scope():
                self._make(node)
                if node.name in group.outside:
                    self._give(node.output)

    def _make(self, node: Node) -> None:
        axis = self.work.group.axes[node.name]
        step, band = self.work.steps[node.name], band_of(axis, *self.rows[node.name])
        rows = band.start, band.stop
        if step.takes_far:
            self.places[node.name] = step.run([self._far(node.activations[0], rows)], band)
            return
        operands = [self._near(value, rows) for value in node.activations]
        self.places[node.name] = step.run(operands, band)

    def _far(self, value: Value, rows: Span) -> Remote:
        whole = self.work.e.remote(value, shape_of(value))
        return whole.at((0, 0, rows[0], 0), element_of(value))

    def _near(self, value: Value, rows: Span) -> Local:
        """Rows of an operand, without other rows between them."""
        if value.name not in self.places:
            self._fetch(value)
        place = self.places[value.name]
        if self.rows[value.name] == rows:
            return place
        return self._copied(place, self.rows[value.name][0], rows)

    def _fetch(self, value: Value) -> None:
        e, rows = self.work.e, self.rows[value.name]
        resident = e.residents.get(value.name)
        if resident is not None:
            whole = replace(resident, shape=shape_of(value))
            self.places[value.name] = self._copied(whole, 0, rows)
            return
        n, c, _, w = shape_of(value)
        place = e.take((n, c, rows[1] - rows[0], w), element_of(value))
        e.load(self._far(value, rows), place)
        self.places[value.name] = place

    def _copied(self, source: Local, start: int, rows: Span) -> Local:
        """`rows` of a picture of which row `start` lies first."""
        n, c, h, w = source.shape
        if (start, start + h) == rows:
            return source
        shape = n, c, rows[1] - rows[0], w
        place = self.work.e.take(shape, source.element)
        tiu.copy_rows(self.work.e, place, _row_of(source, rows[0] - start), shape)
        return place

    def _give(self, value: Value) -> None:
        """Store the share of this band, or put it into the whole tensor."""
        e, rows = self.work.e, self.work.group.share(value, self.number)
        place, start = self.places[value.name], self.rows[value.name][0]
        n, c, _, w = place.shape
        shape = n, c, rows[1] - rows[0], w
        part = _row_of(place, rows[0] - start)
        whole = self.work.whole.get(value.name)
        if whole is not None:
            tiu.copy_rows(e, _row_of(whole, rows[0]), part, shape)
            return
        e.store_rows(part, self._far(value, rows), shape)


def _row_of(place: Local, row: int) -> Local:
    """The same picture from a row on; its shape stays what its steps come from."""
    step = place.strides[2] * place.element.size
    return replace(place, address=place.address + row * step)
