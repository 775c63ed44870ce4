"""The steps that `search=pareto` mixes by: an op gets the next wider of its types.

    integers and floats       INT8 -> float: ops by the loss that each has alone in integers
    with 4 bits (`Small`)     INT4 -> INT8 -> float; ops without a 4-bit form: INT8 -> float
                              loss of an op in a type = that of the network in 8 bits with this op
                              alone in the type; gain of a step = the loss that it saves

A step is never before the one that it follows on, and has at most that one's gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable
from tpuc.ir import Graph
from tpuc.progress import progress
from tpuc.search.cost import CostModel
from tpuc.search.four_bits import Small, small_losses, small_thresholds
from tpuc.search.layers import op_types, quantized_layers
from tpuc.search.qtable_search import reasons_for, worst
from tpuc.search.result import (
    Candidate,
    FrontPoint,
    LayerLoss,
    Log,
    SearchResult,
    Start,
    with_choices,
)
from tpuc.search.trials import Exhausted, Trials

__all__ = ["FloatLadder", "Ladder", "Step", "TypeLadder", "steps_of", "type_losses"]

Step = tuple[str, str]
"""An op, and the type that it gets."""

_LEAST = 1e-9
"""Microseconds that every step is taken to add at least."""


class Ladder(Protocol):
    """Steps of a network, and what they make of it."""

    @property
    def most(self) -> int:
        """How many steps there are."""

    def ends(self) -> list[list[Step]]:
        """Sets to start from; the first one grows."""

    def sets(self, count: int) -> list[list[Step]]:
        """Sets of so many steps that promise most."""

    def after(self, steps: Sequence[Step]) -> list[Step]:
        """What may follow on a set, the largest gain first."""

    def tables(self, steps: Sequence[Step]) -> tuple[CalibrationTable, QuantizeTable]:
        """What makes a build of a set."""


@dataclass(frozen=True)
class FloatLadder:
    """Integer ops that become float.

    Parameters
    ----------
    found : SearchResult
        Its losses; its table; ops decided before in its qtable.
    mode : str
        The float type.
    """

    graph: Graph
    found: SearchResult
    mode: str
    cost: CostModel
    limit: int

    @property
    def most(self) -> int:
        """As many as may be float."""
        return min(self.limit, len(self.found.losses))

    def ends(self) -> list[list[Step]]:
        """Nothing float."""
        return [[]]

    def sets(self, count: int) -> list[list[Step]]:
        """The largest losses; the largest losses per microsecond."""
        both = self.found.losses, self._by_ratio
        return [self._steps(worst(self.graph, rows, count)) for rows in both]

    @cached_property
    def _by_ratio(self) -> list[LayerLoss]:
        losses, base = self.found.losses, self.found.qtable
        least = self.cost.microseconds(base)
        added = {
            row.name: self.cost.microseconds(with_choices(base, {row.name: ""}, self.mode)) - least
            for row in losses
        }
        return sorted(losses, key=lambda row: -row.loss / max(added[row.name], _LEAST))

    def after(self, steps: Sequence[Step]) -> list[Step]:
        """All others."""
        taken = {name for name, _ in steps}
        return self._steps([r.name for r in self.found.losses if r.name not in taken])

    def tables(self, steps: Sequence[Step]) -> tuple[CalibrationTable, QuantizeTable]:
        """The table found, and the float ops named."""
        reasons = reasons_for(self.found, [name for name, _ in steps])
        return self.found.table, with_choices(self.found.qtable, reasons, self.mode)

    def _steps(self, names: Sequence[str]) -> list[Step]:
        return [(name, self.mode) for name in names]


@dataclass(frozen=True)
class TypeLadder:
    """4-bit ops that get 8 bits, and 8-bit ops that become float, in a build of type INT4.

    Parameters
    ----------
    found : SearchResult
        Losses whose candidates are the types of an op, in their order; the table.
    base : QuantizeTable
        Ops decided before.
    limit : int
        Float ops at most.
    """

    found: SearchResult
    base: QuantizeTable
    small: Small
    cost: CostModel
    limit: int

    @property
    def most(self) -> int:
        """Every step to 8 bits, and the float ops that may be."""
        return len(self._by_gain)

    def ends(self) -> list[list[Step]]:
        """All in 4 bits; all in 8."""
        return [[], [(name, "INT8") for name in self.small.names]]

    def sets(self, count: int) -> list[list[Step]]:
        """The largest gains; the same to 8 bits alone; the largest gains per microsecond."""
        eight = [step for step in self._by_gain if step[1] == "INT8"]
        return [self._by_gain[:count], eight[:count], self._by_ratio[:count]]

    def after(self, steps: Sequence[Step]) -> list[Step]:
        """Each op's next step."""
        rest = [s for s in self._by_gain if s not in set(steps)]
        first = {s[0]: s for s in reversed(rest)}
        return [s for s in rest if first[s[0]] == s]

    def tables(self, steps: Sequence[Step]) -> tuple[CalibrationTable, QuantizeTable]:
        """The table that names the 4-bit ops; all others of `small` named as what they are."""
        types = dict(steps)
        rows = {n: Choice(kind, self._reason(n, kind), "search") for n, kind in types.items()}
        four = [n for n in self.small.names if n not in types]
        qtable = QuantizeTable({**self.base.choices, **rows})
        return self.small.table(self.found.table, four), qtable

    @cached_property
    def _by_gain(self) -> list[Step]:
        return _ranked(self._gains())

    @cached_property
    def _by_ratio(self) -> list[Step]:
        added = self._added()
        return _ranked({s: gain / max(added[s], _LEAST) for s, gain in self._gains().items()})

    def _gains(self) -> dict[Step, float]:
        """Of every step, in the order of each op's types; a float type that saves nothing is none.

        Float ops are those of the largest gains.
        """
        steps, floats = {}, []
        for row in self.found.losses:
            for now, wider in zip(row.candidates, row.candidates[1:]):
                gain = now.loss - wider.loss
                if wider.method == "INT8":
                    steps[row.name, wider.method] = gain
                elif gain > 0:
                    floats.append((gain, (row.name, wider.method)))
        floats.sort(key=lambda item: -item[0])
        return steps | {step: gain for gain, step in floats[: self.limit]}

    def _added(self) -> dict[Step, float]:
        """Microseconds that a step adds to the network in its smallest types."""
        spent = {}
        for row in self.found.losses:
            for now, wider in zip(row.candidates, row.candidates[1:]):
                before = [] if now is row.candidates[0] else [(row.name, now.method)]
                both = before, [(row.name, wider.method)]
                less, more = (self.cost.microseconds(self.tables(s)[1]) for s in both)
                spent[row.name, wider.method] = more - less
        return spent

    def _reason(self, name: str, kind: str) -> str:
        for rank, row in enumerate(self.found.losses, 1):
            if row.name == name:
                tried = ", ".join(f"{c.loss:.3g} in {c.method}" for c in row.candidates)
                return f"search=pareto, 4_8: loss {tried}; rank {rank} of {len(self.found.losses)}"
        return f"search=pareto, 4_8: {kind}, without a loss of its own"


def _ranked(by: Mapping[Step, float]) -> list[Step]:
    kept: dict[Step, float] = {}
    least: dict[str, float] = {}
    for step, value in by.items():  # an op's steps come in their order
        least[step[0]] = kept[step] = min(value, least.get(step[0], value))
    return sorted(kept, key=lambda step: -kept[step])


def type_losses(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, small: Small,
    found: SearchResult, log: Log,
) -> SearchResult:  # fmt: skip
    """`found` with thresholds for 4 bits, and what each op costs in each of its types.

    Where a limit is reached, `stopped` says so, and the losses are those measured.
    """
    try:
        table = small_thresholds(trials, tables, start, small, log)
        found = replace(found, table=table)
        whole = small.table(table, ()), small.qtable(start.base, ())
        score = trials.score(*whole)
        eight = Candidate("INT8", 0.0, score.loss, score.snr)
        lows = small_losses(trials, table, start.base, small, log)
        rows = {r.name: replace(r, candidates=(r.best, eight)) for r in lows}
        found = replace(found, losses=tuple(rows.values()))
        rows |= _float_rows(trials, whole, start, rows, eight, log)
    except Exhausted as limit:
        return replace(found, stopped=str(limit))
    return replace(found, losses=tuple(sorted(rows.values(), key=lambda r: -r.loss)))


def _float_rows(
    trials: Trials, whole: tuple[CalibrationTable, QuantizeTable], start: Start,
    rows: Mapping[str, LayerLoss], eight: Candidate, log: Log,
) -> dict[str, LayerLoss]:  # fmt: skip
    """What each op costs alone in the float type, behind what is known of it."""
    graph, (table, base) = trials.bench.graph, whole
    types, found = op_types(graph), {}
    layers = quantized_layers(graph, trials.bench.lower(table, base))
    layers = [n for n in layers if n not in start.base.choices]
    for name in progress(layers, len(layers), "float types"):
        row = {**base.choices, name: Choice(start.mode, "", "search")}
        score = trials.score(table, QuantizeTable(row))
        log.info(f"layer {name}, {start.mode} outputs_cos:{score.loss}")
        known = rows[name].candidates if name in rows else (eight,)
        each = (*known, Candidate(start.mode, 0.0, score.loss, score.snr))
        found[name] = LayerLoss(name, types[name], each[0], each)
    return found


def steps_of(point: FrontPoint, mode: str) -> list[Step]:
    """The steps of a point: one for each op."""
    return [*((n, "INT8") for n in point.int8_ops), *((n, mode) for n in point.float_ops)]
