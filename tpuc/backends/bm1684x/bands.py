"""Groups of ops that work in bands of rows: which rows of which tensor each band needs.

A band of a group's results is made from the rows that they read, those from the rows that these
read, and so on: neighbouring bands compute the rows between them twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from tpuc.backends.bm1684x.emitter import NoRoom
from tpuc.backends.bm1684x.places import LONGEST
from tpuc.backends.bm1684x.rules import rule_of
from tpuc.backends.bm1684x.rules.rule import KEPT, InBands, shape_of
from tpuc.backends.bm1684x.tiling import Axis, band_of
from tpuc.ir import Graph, Node, Value

__all__ = ["Group", "Span", "in_bands_of", "runs"]

Span = tuple[int, int]


def in_bands_of(node: Node) -> InBands | None:
    """How an op works in bands; None where it can not."""
    rule = rule_of(node)
    if rule is None or rule.in_bands is None:
        return None
    for value in (*node.activations, node.output):
        plain = len(value.shape) == 4 and value.shape[0] == 1 and max(value.shape) <= LONGEST
        if not plain or value.dtype not in KEPT:
            return None
    return rule.in_bands


@dataclass(frozen=True)
class Group:
    """Ops that follow one another in the graph, and in how many bands they work.

    Parameters
    ----------
    nodes : tuple of Node
    axes : mapping of op name to Axis
        Which rows a row of its result reads.
    outside : frozenset of str
        Results that others read too, or that are results of the network.
    count : int
    """

    nodes: tuple[Node, ...]
    axes: Mapping[str, Axis]
    outside: frozenset[str]
    count: int

    @cached_property
    def names(self) -> frozenset[str]:
        """Results of all its ops."""
        return frozenset(node.name for node in self.nodes)

    @cached_property
    def inputs(self) -> tuple[Value, ...]:
        """What others make and it reads, in the order in which it does."""
        found = {v.name: v for n in self.nodes for v in n.activations if v.name not in self.names}
        return tuple(found.values())

    def in_more_bands(self) -> Group:
        """The same, with less at a time."""
        return replace(self, count=self.count + max(1, self.count // 4))

    def share(self, value: Value, band: int) -> Span:
        """Rows of a result that this band has to give away."""
        rows = shape_of(value)[2]
        return rows * band // self.count, rows * (band + 1) // self.count

    def rows(self, band: int) -> dict[str, Span]:
        """By tensor, results and inputs, the rows that a band needs.

        Raises
        ------
        NoRoom : a band has no rows
        """
        need: dict[str, Span] = {}
        for node in reversed(self.nodes):
            if node.name in self.outside:
                _add(need, node.name, self.share(node.output, band))
            part = band_of(self.axes[node.name], *need[node.name])
            if part.first >= part.last or part.start >= part.stop:
                raise NoRoom(f"{node}: a band of its group has no rows")
            for value in node.activations:
                _add(need, value.name, (part.start, part.stop))
        return need


def _add(need: dict[str, Span], name: str, rows: Span) -> None:
    known = need.get(name, rows)
    need[name] = min(known[0], rows[0]), max(known[1], rows[1])


def runs(graph: Graph, aliases: frozenset[str]) -> Iterator[tuple[Node, ...]]:
    """Ops that follow one another and all work in bands, as many as possible."""
    found: list[Node] = []
    for node in graph.nodes:
        if node.name not in aliases and in_bands_of(node) is not None:
            found.append(node)
        elif found:
            yield tuple(found)
            found = []
    if found:
        yield tuple(found)
