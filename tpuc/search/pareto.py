"""`search=pareto`: the mixes of types that are best for each cost.

    a step = one op gets the next wider of its types (integer to float; ladder.py: 4 bits to 8 too)
    grow k = 1, 2, ... steps:  candidates for the set of k are
        the k of largest gain (what search=qtable would take),
        the k of largest gain per microsecond added,
        the best set of k - 1 with each of the few next steps added
    the one nearest to float, as measured, is the best set of k
    front = all measured (cost, score) that no other one beats in both

Each set is measured on the search samples, so at k float ops (mixing 4 bits: k ops in 8) the score
is never worse than search=qtable's with the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.progress import progress
from tpuc.search.cost import CostModel
from tpuc.search.four_bits import Small
from tpuc.search.ladder import FloatLadder, Ladder, Step, TypeLadder, steps_of, type_losses
from tpuc.search.qtable_search import Goal, searched_layers
from tpuc.search.result import FrontPoint, Log, SearchResult, Start
from tpuc.search.sensitivity import measure
from tpuc.search.trials import Exhausted, Trials

__all__ = ["front_of", "search_pareto"]

_NEXT = 3
"""How many of the next steps are tried on top of the best set so far."""


def search_pareto(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, goal: Goal,
    cost: CostModel, small: Small | None = None,
) -> SearchResult:  # fmt: skip
    """Search the front and pick from it.

    Parameters
    ----------
    goal : Goal
        The best score within its budget wins; without one the cheapest that exceeds its
        `expected_cos`, else the best score.
    small : Small, optional
        Ops that may be 4-bit, in a build of type INT4: there all of them are at first.
    """
    log = Log()
    log.info(f"quantize_method_list={list(tables)}")
    table = small.table(start.table, ()) if small else start.table
    base = small.qtable(start.base, ()) if small else start.base
    quantized = trials.score(table, base).cos
    found = SearchResult("pareto", table, base, quantized, quantized)
    points: list[FrontPoint] = []
    try:
        if small:
            found = type_losses(trials, tables, start, small, found, log)
        else:
            found = _float_losses(trials, tables, start, goal, found, log)
        ladder = _ladder(trials, found, start, goal, cost, small)
        if found.stopped:
            raise Exhausted(found.stopped)
        for point in _grow(trials, ladder, base, cost, ladder.most):
            points.append(point)
            log.info(f"{_counted(point)}, relative cost: {point.cost:.4f}, {_scored(point)}")
    except Exhausted as limit:
        found = replace(found, stopped=str(limit))
        ladder = _ladder(trials, found, start, goal, cost, small)
        trials.lift_limits()
        if not points:  # what was measured counts
            points = list(_grow(trials, ladder, base, cost, min(1, ladder.most)))
    front = front_of(points)
    chosen = _pick(front, goal)
    _closing(front, chosen, quantized, log)
    table, qtable = ladder.tables(steps_of(chosen, start.mode))
    return replace(
        found, table=table, qtable=qtable, cos=chosen.cos, float_ops=chosen.float_ops,
        int8_ops=chosen.int8_ops, front=tuple(front), log=log.text,
        scores={str(len(p.float_ops) + len(p.int8_ops)): p.cos for p in front},
    )  # fmt: skip


def _float_losses(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, goal: Goal,
    found: SearchResult, log: Log,
) -> SearchResult:  # fmt: skip
    layers = searched_layers(trials, start, goal, log)
    measured = measure(trials, layers, tables, start, log)
    return replace(found, table=measured.table, losses=measured.losses, stopped=measured.stopped)


def _ladder(
    trials: Trials, found: SearchResult, start: Start, goal: Goal, cost: CostModel,
    small: Small | None,
) -> Ladder:  # fmt: skip
    if small:
        return TypeLadder(found, start.base, small, cost, goal.max_float_layers)
    return FloatLadder(trials.bench.graph, found, start.mode, cost, goal.max_float_layers)


def _counted(point: FrontPoint) -> str:
    floats = f"float layer number: {len(point.float_ops)}"
    return f"int8 layer number: {len(point.int8_ops)}, {floats}" if point.int8_ops else floats


def _closing(front: Sequence[FrontPoint], chosen: FrontPoint, old: float, log: Log) -> None:
    log.info(f"front: {[(_counted(p), round(p.cost, 4), p.cos) for p in front]}")
    log.info(f"{_counted(chosen)}, {_scored(chosen)}")
    log.info(f"int8 outputs_cos:{old:.6f} old")


def _scored(point: FrontPoint) -> str:
    return f"mix model outputs_cos: {point.cos}"


def _grow(
    trials: Trials, ladder: Ladder, base: QuantizeTable, cost: CostModel, most: int
) -> Iterator[FrontPoint]:
    """Measured points of 0, 1, ... steps; every set that was tried."""

    def point(steps: Sequence[Step]) -> FrontPoint:
        table, qtable = ladder.tables(steps)
        cos = trials.score(table, qtable).cos
        floats = tuple(n for n, kind in dict(steps).items() if kind != "INT8")
        eight = tuple(n for n, kind in dict(steps).items() if kind == "INT8")
        return FrontPoint(floats, cost.relative(qtable, base), cos, eight)

    best, *others = ladder.ends()
    for steps in (best, *others):
        yield point(steps)
    for count in progress(range(1, most + 1), most, "mixing"):
        sets = ladder.sets(count)
        sets += [[*best, step] for step in ladder.after(best)[:_NEXT]]
        tried = [(point(steps), steps) for steps in _distinct(sets)]
        yield from (p for p, _ in tried)
        best = max(tried, key=lambda item: (item[0].cos, -item[0].cost))[1]


def _distinct(sets: Sequence[list[Step]]) -> list[list[Step]]:
    return list({frozenset(s): s for s in reversed(sets)}.values())[::-1]


def front_of(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """The points that no other beats, cheapest first."""
    front: list[FrontPoint] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.cos, len(p.float_ops))):
        if not front or point.cos > front[-1].cos:
            front.append(point)
    return front


def _pick(front: Sequence[FrontPoint], goal: Goal) -> FrontPoint:
    if goal.budget is not None:
        within = [p for p in front if p.cost <= goal.budget] or [front[0]]
        return within[-1]
    enough = [p for p in front if p.cos > goal.expected_cos]
    return enough[0] if enough else front[-1]
