"""What stays in local memory from one op to the next.

A tensor stays if one op makes it and others read it there, whole: then it is neither stored nor
loaded. All are tried; where there is no room for an op, the largest tensor that lies there at that
time goes to global memory instead, and all is written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tpuc.backends.bm1684x.allocate import Placed, place
from tpuc.backends.bm1684x.bands import Group
from tpuc.backends.bm1684x.choose_groups import choose_groups
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, buffer_of
from tpuc.backends.bm1684x.grouping import emit_group
from tpuc.backends.bm1684x.lives import NoPlace
from tpuc.backends.bm1684x.memory import Plan, reuse
from tpuc.backends.bm1684x.places import LONGEST
from tpuc.backends.bm1684x.rules import rule_of
from tpuc.backends.bm1684x.rules.rule import KEPT, shape_of
from tpuc.backends.bm1684x.schedule import predicted
from tpuc.ir import Graph, Node, Value

__all__ = ["emit_graph"]

_MOST_TRIES = 200


Emitted = tuple[Emitter, Placed, Plan]


def emit_graph(graph: Graph, plan: Plan, in_parts: bool = False) -> Emitted:
    """Commands of all ops; the same in the best order, with places; what is left in global memory.

    Parameters
    ----------
    in_parts : bool
        Take every operand from global memory, in parts, as ops that are too large have to.

    Raises
    ------
    UnsupportedError : an op is too large for local memory, even alone
    """
    if in_parts:
        return _Attempt(graph, plan, None).placed()
    could = _may_stay(graph, plan)
    plain, emitted = _op_by_op(graph, plan, could)
    best = None
    for groups in choose_groups(graph, plan, plain.large(could), could):
        best = best or (predicted(emitted[1].commands), emitted)
        grouped = _by_groups(graph, plan, could, groups)
        if grouped is not None:
            best = min(best, (predicted(grouped[1].commands), grouped), key=lambda b: b[0])
    return emitted if best is None else best[1]


def _op_by_op(graph: Graph, plan: Plan, could: set[str]) -> tuple[_Attempt, Emitted]:
    may_stay = set(could)
    for _ in range(_MOST_TRIES):
        tried = _Attempt(graph, plan, may_stay)
        try:
            return tried, tried.placed()
        except NoRoom as full:
            root = tried.in_the_way(full)
            if root is None:
                break
            may_stay.discard(root)
    tried = _Attempt(graph, plan, set())
    try:
        return tried, tried.placed()
    except NoPlace:
        tried = _Attempt(graph, plan, None)
        return tried, tried.placed()


def _by_groups(
    graph: Graph, plan: Plan, could: set[str], groups: Sequence[Group]
) -> Emitted | None:
    """All ops, some of them in groups; where there is no room, a group gets more bands first."""
    may_stay, now = set(could), {g.nodes[0].name: g for g in groups}
    most = {name: 3 * g.count for name, g in now.items()}
    for _ in range(_MOST_TRIES):
        tried = _Attempt(graph, plan, may_stay, now)
        try:
            return tried.placed()
        except NoRoom as full:
            head = tried.head_of(full)
            root = tried.in_the_way(full)
            if head is not None and now[head].count < most[head]:
                now[head] = now[head].in_more_bands()
            elif root is not None:
                may_stay.discard(root)
            elif head is not None:
                del now[head]
            else:
                return None
    return None


def _may_stay(graph: Graph, plan: Plan) -> set[str]:
    """Values, by root, that all their ops can use in local memory."""
    kept = {plan.roots[v.name] for v in (*graph.inputs, *graph.outputs)}
    found: set[str] = set()
    shapes: dict[str, set[object]] = {}
    for node in graph.nodes:
        value = node.output
        root = plan.roots[value.name]
        found.add(root)
        if len(value.shape) <= 4:
            shapes.setdefault(root, set()).add(shape_of(value))
        readers = [n for n in value.users if n.name not in plan.aliases]
        alone = value.name in plan.aliases or _is_whole(node)
        plain = _is_plain(value)
        far = any(index in _far(user) for user, index in value.uses)
        if far or not (alone and plain and value.dtype in KEPT and all(map(_is_whole, readers))):
            kept.add(root)
    return {root for root in found - kept if len(shapes[root]) == 1}


def _is_plain(value: Value) -> bool:
    """Whether a tensor is one sample of a picture whose sizes a command can say."""
    return 0 < len(value.shape) <= 4 and value.shape[0] == 1 and max(value.shape) <= LONGEST


def _is_whole(node: Node) -> bool:
    rule = rule_of(node)
    return rule is not None and rule.whole is not None


def _far(node: Node) -> tuple[int, ...]:
    rule = rule_of(node)
    return () if rule is None else rule.far


class _Attempt:
    """One pass over the graph with a choice of tensors that stay."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        may_stay: set[str] | None,
        groups: Mapping[str, Group] | None = None,
    ) -> None:
        self.graph, self.plan, self.may_stay = graph, plan, may_stay or set()
        self.in_parts = may_stay is None
        self.groups = groups or {}
        self.heads = {name: h for h, g in self.groups.items() for name in g.names}
        self.parted: set[str] = set()  # ops that worked in parts
        self.emitter = Emitter(plan.addresses, frozenset(v.name for v in graph.outputs))
        self.ends = _last_uses(graph, plan.roots)

    def run(self) -> Emitter:
        """All ops in order."""
        for index, node in enumerate(self.graph.nodes):
            if node.name in self.groups:
                emit_group(self.emitter, self.groups[node.name], self._stays)
            elif node.name in self.heads:
                pass
            elif node.op != "Input" and node.name not in self.plan.aliases:
                self._emit(node)
            elif node.name in self.plan.aliases:
                self._alias(node)
            self._drop(index)
        return self.emitter

    def placed(self) -> Emitted:
        """All ops, then all buffers."""
        emitter = self.run()
        plan, commands = reuse(self.graph, self.plan, emitter.commands)
        return emitter, place(commands, emitter.sizes), plan

    def in_the_way(self, full: NoRoom) -> str | None:
        """Root of the largest tensor that stays in local memory when it is full."""
        e = self.emitter
        numbers = [buffer_of(p) for p in e.residents.values()]
        if isinstance(full, NoPlace):
            numbers = [n for n in full.numbers if n in e.kept]
        names = [e.kept[n] for n in sorted(numbers, key=lambda n: (e.sizes[n], n))]
        return self.plan.roots[names[-1]] if names else None

    def head_of(self, full: NoRoom) -> str | None:
        """First op of the group that had no room."""
        note = self.emitter.note
        if isinstance(full, NoPlace):
            note = self.emitter.owners[full.numbers[-1]]
        return self.heads.get(note)

    def large(self, could: set[str]) -> set[str]:
        """Ops that worked in parts, or on tensors that could have stayed."""
        gone = could - self.may_stay
        found = set(self.parted)
        for node in self.graph.nodes:
            values = (*node.activations, *node.outputs)
            if any(self.plan.roots[v.name] in gone for v in values):
                found.add(node.name)
        return found

    def _stays(self, name: str) -> bool:
        return self.plan.roots[name] in self.may_stay

    def _emit(self, node: Node) -> None:
        e, rule = self.emitter, rule_of(node)
        assert rule is not None
        stays = self._stays(node.name)
        whole = rule.whole if _is_single(node) and not self.in_parts else None
        tries = (stays, False) if stays else (False,)
        for stay in tries if whole is not None else ():
            assert whole is not None
            try:
                with e.attempt():
                    e.begin(node)
                    whole(e, node, stay)
                    return
            except NoRoom:
                continue
        inside = [v for v in node.activations if v.name in e.residents]
        if inside:
            raise NoRoom(f"{node}: does not fit beside its operands")
        self.parted.add(node.name)
        rule.emit(e, node)

    def _alias(self, node: Node) -> None:
        place = self.emitter.residents.get(node.activations[0].name)
        if place is not None:
            self.emitter.residents[node.name] = place

    def _drop(self, index: int) -> None:
        """Free what nobody reads after op `index`."""
        for name in list(self.emitter.residents):
            if self.ends[self.plan.roots[name]] <= index:
                del self.emitter.residents[name]


def _is_single(node: Node) -> bool:
    """Whether an op works on one sample with pictures of at most four axes."""
    return all(map(_is_plain, (*node.activations, node.output)))


def _last_uses(graph: Graph, roots: Mapping[str, str]) -> dict[str, int]:
    ends: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for value in (*node.activations, *node.outputs):
            ends[roots[value.name]] = index
    return ends
