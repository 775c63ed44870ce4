"""`search=pareto`: the mixes of types that are best for each cost.

    grow k = 1, 2, ... float ops:  candidates for the set of k are
        the k worst ops by loss (what search=qtable would take),
        the k best by loss saved per microsecond added,
        the best set of k - 1 with each of the few next worst ops added
    the one nearest to float, as measured, is the best set of k
    front = all measured (cost, score) that no other one beats in both

Each set is measured on the search samples, so at k float ops the score is never worse than
search=qtable's with the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tpuc.artifacts import CalibrationTable
from tpuc.progress import progress
from tpuc.search.cost import CostModel
from tpuc.search.qtable_search import Goal, reasons_for, searched_layers, worst
from tpuc.search.result import FrontPoint, Log, SearchResult, Start, with_choices
from tpuc.search.sensitivity import measure
from tpuc.search.trials import Exhausted, Trials

__all__ = ["front_of", "search_pareto"]

_NEXT = 3
"""How many of the next worst ops are tried on top of the best set so far."""


def search_pareto(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, goal: Goal,
    cost: CostModel, budget: float | None,
) -> SearchResult:  # fmt: skip
    """Search the front and pick from it.

    Parameters
    ----------
    budget : float, optional
        Largest cost, relative to the network with every op quantized; the best score within it
        wins. Without one: the cheapest that exceeds `goal.expected_cos`, else the best score.
    """
    log = Log()
    log.info(f"quantize_method_list={list(tables)}")
    quantized = trials.score(start.table, start.base).cos
    found = SearchResult("pareto", start.table, start.base, quantized, quantized)
    points: list[FrontPoint] = []
    try:
        layers = searched_layers(trials, start, goal, log)
        measured = measure(trials, layers, tables, start, log)
        found = replace(found, table=measured.table, losses=measured.losses)
        if measured.stopped:
            raise Exhausted(measured.stopped)
        for point in _grow(trials, found, start, goal, cost):
            points.append(point)
            log.info(
                f"float layer number: {len(point.float_ops)}, relative cost: {point.cost:.4f}, "
                f"mix model outputs_cos: {point.cos}"
            )
    except Exhausted as limit:
        found = replace(found, stopped=str(limit))
        trials.lift_limits()
        if not points:  # what was measured counts
            points = list(_grow(trials, found, start, replace(goal, max_float_layers=1), cost))
    front = front_of(points)
    chosen = _pick(front, goal.expected_cos, budget)
    qtable = with_choices(start.base, reasons_for(found, chosen.float_ops), start.mode)
    log.info(f"front: {[(len(p.float_ops), round(p.cost, 4), p.cos) for p in front]}")
    log.info(f"float layer number: {len(chosen.float_ops)}, mix model outputs_cos: {chosen.cos}")
    log.info(f"int8 outputs_cos:{quantized:.6f} old")
    return replace(
        found, qtable=qtable, cos=chosen.cos, float_ops=chosen.float_ops, front=tuple(front),
        scores={str(len(p.float_ops)): p.cos for p in front}, log=log.text,
    )  # fmt: skip


def _grow(
    trials: Trials, found: SearchResult, start: Start, goal: Goal, cost: CostModel
) -> Iterator[FrontPoint]:
    """Measured points of 0, 1, ... float ops; every set that was tried."""
    base = cost.microseconds(start.base)
    graph = trials.bench.graph
    added = {
        row.name: cost.microseconds(with_choices(start.base, {row.name: ""}, start.mode)) - base
        for row in found.losses
    }
    by_ratio = sorted(found.losses, key=lambda row: -row.loss / max(added[row.name], 1e-9))

    def point(ops: Sequence[str]) -> FrontPoint:
        qtable = with_choices(start.base, reasons_for(found, ops), start.mode)
        score = trials.score(found.table, qtable)
        return FrontPoint(tuple(ops), cost.relative(qtable, start.base), score.cos)

    best = point(())
    yield best
    most = min(goal.max_float_layers, len(found.losses))
    for count in progress(range(1, most + 1), most, "mixing"):
        rest = [row.name for row in found.losses if row.name not in best.float_ops]
        sets = [worst(graph, found.losses, count), worst(graph, by_ratio, count)]
        sets += [[*best.float_ops, name] for name in rest[:_NEXT]]
        tried = [point(ops) for ops in _distinct(sets)]
        yield from tried
        best = max(tried, key=lambda p: (p.cos, -p.cost))


def _distinct(sets: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return list({frozenset(s): s for s in reversed(sets)}.values())[::-1]


def front_of(points: Sequence[FrontPoint]) -> list[FrontPoint]:
    """The points that no other beats, cheapest first."""
    front: list[FrontPoint] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.cos, len(p.float_ops))):
        if not front or point.cos > front[-1].cos:
            front.append(point)
    return front


def _pick(front: Sequence[FrontPoint], expected_cos: float, budget: float | None) -> FrontPoint:
    if budget is not None:
        within = [p for p in front if p.cost <= budget] or [front[0]]
        return within[-1]
    enough = [p for p in front if p.cos > expected_cos]
    return enough[0] if enough else front[-1]
