"""Which ops work as groups, and in how many bands: the cheapest cut of each stretch of ops.

Only where it may matter: around ops that do not fit local memory at once, or whose tensors do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from tpuc.backends.bm1684x.bands import Group, in_bands_of, runs
from tpuc.backends.bm1684x.command import LANE_BYTES
from tpuc.backends.bm1684x.emitter import NoRoom
from tpuc.backends.bm1684x.group_costs import OpCost, cost_of, may_stay_whole, probe
from tpuc.backends.bm1684x.memory import Plan
from tpuc.backends.bm1684x.rules.rule import shape_of
from tpuc.backends.bm1684x.tiling import Axis
from tpuc.ir import Graph, Node

__all__ = ["choose_groups"]

_BEFORE, _BEHIND = 1, 6  # ops around those that are too large
_LONGEST = 20
_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)
_SHARES = (1.0, 0.75, 0.5)
_TRIES = 3  # counts of bands from the first on that fits


def choose_groups(
    graph: Graph, plan: Plan, large: Set[str], may_stay: Set[str]
) -> list[list[Group]]:
    """Groups that are predicted to take the fewest cycles, for some shares of local memory.

    The less a group takes, the earlier coefficients of what follows can be loaded.

    Parameters
    ----------
    large : set of str
        Ops that work in parts, or on tensors that do not stay.
    may_stay : set of str
        Tensors that all their ops can use in local memory.
    """
    stretches = [
        _Stretch(graph, plan, stretch, may_stay)
        for run in runs(graph, plan.aliases)
        for stretch in _stretches(run, large)
    ]
    found: list[list[Group]] = []
    for share in _SHARES:
        groups = [g for s in stretches for g in s.groups(int(LANE_BYTES * share))]
        if groups and groups not in found:
            found.append(groups)
    return found


def _stretches(run: tuple[Node, ...], large: Set[str]) -> Iterator[tuple[Node, ...]]:
    """Parts of a run around large ops."""
    wanted = [i for i, node in enumerate(run) if node.name in large]
    start = stop = None
    for index in wanted:
        if stop is None or index - _BEFORE > stop:
            if stop is not None:
                yield run[start:stop]
            start = max(index - _BEFORE, 0)
        stop = min(index + 1 + _BEHIND, len(run))
    if stop is not None:
        yield run[start:stop]


@dataclass(frozen=True)
class _Best:
    cycles: float
    groups: tuple[Group, ...]


class _Stretch:
    """Ops that follow one another, and what each costs."""

    def __init__(
        self, graph: Graph, plan: Plan, nodes: tuple[Node, ...], may_stay: Set[str]
    ) -> None:
        self.nodes = nodes
        self.outputs = {v.name for v in graph.outputs}
        self.axes: dict[str, Axis] = {}
        self.stays = frozenset(
            v.name for v in graph.values() if v.name in may_stay and may_stay_whole(v)
        )
        self.near: dict[str, OpCost] = {}
        self.far: dict[str, OpCost] = {}
        for node in nodes:
            how = in_bands_of(node)
            assert how is not None
            self.axes[node.name] = how.axis(node)
            for costs, is_far in ((self.near, False), (self.far, True)):
                try:
                    costs[node.name] = probe(node, self.axes[node.name], plan.addresses, is_far)
                except NoRoom:
                    continue

    def groups(self, room: int) -> list[Group]:
        """The cheapest cut; what would work in one band is left as it is."""
        best: list[_Best] = [_Best(0.0, ())]
        for stop in range(1, len(self.nodes) + 1):
            options = [
                self._joined(best[start], (start, stop), room)
                for start in range(max(0, stop - _LONGEST), stop)
            ]
            best.append(min(options, key=lambda b: b.cycles))
        return [g for g in best[-1].groups if g.count > 1]

    def _joined(self, before: _Best, span: tuple[int, int], room: int) -> _Best:
        start, stop = span
        one = self._group(self.nodes[start:stop], room)
        if one is None:
            if stop - start > 1:
                return _Best(float("inf"), ())
            return _Best(before.cycles, before.groups)  # is not for us
        return _Best(before.cycles + one.cycles, (*before.groups, *one.groups))

    def _group(self, nodes: tuple[Node, ...], room: int) -> _Best | None:
        """The best number of bands of one group."""
        names = {n.name for n in nodes}
        outside = frozenset(n.name for n in nodes if self._is_outside(n, names))
        ops = self._ops(nodes, names)
        if ops is None:
            return None
        rows = min(shape_of(n.output)[2] for n in nodes if n.name in outside)
        best: _Best | None = None
        tried = 0
        for count in _COUNTS:
            if count > rows or tried == _TRIES:
                break
            group = Group(nodes, self.axes, outside, count)
            cycles = cost_of(group, ops, self.stays, room)
            if cycles is not None:
                tried += 1
                if best is None or cycles < best.cycles:
                    best = _Best(cycles, (group,))
        return best

    def _ops(self, nodes: tuple[Node, ...], names: set[str]) -> Mapping[str, OpCost] | None:
        found = {}
        for node in nodes:
            source = node.activations[0].name
            costs = self.near if source in names or source in self.stays else self.far
            if node.name not in costs:
                return None
            found[node.name] = costs[node.name]
        return found

    def _is_outside(self, node: Node, names: set[str]) -> bool:
        users = [u.name for u in node.output.users]
        return node.name in self.outputs or not users or any(u not in names for u in users)
