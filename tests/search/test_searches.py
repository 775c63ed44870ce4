"""Searches on a real network: every figure equals an independent full evaluation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.search.bench import Workbench
from tpuc.artifacts import QuantizeTable
from tpuc.errors import ConfigError
from tpuc.search import (
    CostModel,
    FrontPoint,
    Goal,
    search_pareto,
    search_qtable,
    search_threshold,
)
from tpuc.search.pareto import front_of
from tpuc.search.result import with_choices, with_threshold
from tpuc.search.saved import from_saved, to_saved

GOAL = Goal(0.99999, 4)


@pytest.fixture(scope="module")
def workbench(golden, bm1684x):
    return Workbench(golden("squeezenet1_1"), bm1684x)


@pytest.fixture(scope="module")
def found(workbench):
    two = {m: workbench.tables[m] for m in ("kl", "mse")}
    return search_qtable(workbench.trials(), two, workbench.start(), GOAL)


def test_every_loss_is_that_of_a_full_run(workbench, found):
    table = workbench.tables["mse"]
    layers = [row.name for row in sorted(found.losses, key=lambda r: _place(workbench, r.name))]
    everything = dict.fromkeys(layers, "float")
    by_name = {row.name: row for row in found.losses}
    for name in layers:
        others = {n: why for n, why in everything.items() if n != name}
        row = by_name[name]
        for candidate in row.candidates:
            tried = with_threshold(table, name, candidate.threshold)
            full = 1 - workbench.full_score(tried, with_choices(QuantizeTable(), others, "F16"))
            if candidate.gave_up:
                assert row.loss < candidate.loss <= full + 1e-12
            else:
                assert candidate.loss == pytest.approx(full, abs=1e-12)
        table = with_threshold(table, name, row.best.threshold)
    assert found.table == table


def _place(workbench, name: str) -> int:
    return [v.name for v in workbench.graph.values()].index(name)


def test_the_written_tables_have_the_score_that_is_told(workbench, found):
    assert found.cos == pytest.approx(workbench.full_score(found.table, found.qtable), abs=1e-12)
    start = workbench.start()
    assert found.quantized_cos == pytest.approx(workbench.full_score(start.table, start.base))
    assert found.cos > found.quantized_cos
    assert 0 < len(found.float_ops) <= GOAL.max_float_layers
    assert list(found.qtable.choices) == list(found.float_ops)
    assert all("rank" in c.reason for c in found.qtable.choices.values())


def test_no_more_ops_become_float_than_the_goal_needs(workbench, found):
    middle = sorted(found.scores.values())[len(found.scores) // 2]
    goal = Goal((found.quantized_cos + found.cos) / 2, GOAL.max_float_layers)
    easier = search_qtable(workbench.trials(), workbench.tables, workbench.start(), goal)
    assert easier.cos > goal.expected_cos
    assert len(easier.float_ops) <= len(found.float_ops)
    assert middle > 0


def test_a_goal_that_is_met_already_searches_nothing(workbench):
    trials = workbench.trials()
    done = search_qtable(trials, workbench.tables, workbench.start(), Goal(0.1, 4))
    assert trials.ran == 1
    assert done.float_ops == ()
    assert "no need for mix precsion" in done.log


def test_more_float_layers_than_ops_are_refused(workbench):
    with pytest.raises(ConfigError, match=r"search.max_float_layers: 1000, but only \d+ ops"):
        search_qtable(workbench.trials(), workbench.tables, workbench.start(), Goal(1.0, 1000))


def test_threads_change_nothing(golden, bm1684x, found):
    alone = Workbench(golden("squeezenet1_1"), bm1684x, threads=1)
    two = {m: alone.tables[m] for m in ("kl", "mse")}
    assert search_qtable(alone.trials(), two, alone.start(), GOAL) == found


def test_a_cluster_takes_the_ops_of_larger_loss(workbench):
    goal = Goal(0.99999, 4, cluster=True)
    clustered = search_qtable(workbench.trials(), workbench.tables, workbench.start(), goal)
    losses = {row.name: row.loss for row in clustered.losses}
    inside = [losses[n] for n in clustered.float_ops]
    outside = [loss for n, loss in losses.items() if n not in clustered.float_ops]
    assert inside
    assert sum(inside) / len(inside) > sum(outside) / len(outside)


@pytest.mark.parametrize("benchmark", ["cos", "snr"])
def test_the_best_table_wins(workbench, benchmark):
    best = search_threshold(workbench.trials(), workbench.tables, QuantizeTable(), benchmark)
    assert set(best.scores) == set(workbench.tables)
    chosen = max(best.scores, key=lambda m: best.scores[m])
    assert best.table == workbench.tables[chosen]
    assert best.cos == pytest.approx(workbench.full_score(best.table, QuantizeTable()))


def test_the_log_reads_as_tpu_mlirs(found):
    lines = found.log.splitlines()
    assert all(line.startswith("INFO:root:") for line in lines)
    row = found.losses[0]
    assert (
        f"INFO:root:the layer {row.name} is 0 sensitive layer, loss is {row.loss}, "
        f"type is top.{row.type}" in lines
    )
    assert f"INFO:root:mix model outputs_cos:{found.cos:.6f}" in lines


def test_a_result_comes_back_from_its_file(found, tmp_path):
    to_saved(found, tmp_path)
    assert from_saved(tmp_path) == found


def _cost(workbench, bm1684x) -> CostModel:
    facts = replace(bm1684x, int8_tops=32.0, f16_tops=16.0, f32_tops=2.0, dram_gbps=68.0)
    natural = {n.name: "INT8" for n in workbench.graph.nodes}
    return CostModel(workbench.graph, facts, natural)


def test_the_front_is_never_below_the_ranked_choice(workbench, bm1684x, found):
    two = {m: workbench.tables[m] for m in ("kl", "mse")}
    cost = _cost(workbench, bm1684x)
    mixes = search_pareto(workbench.trials(), two, workbench.start(), GOAL, cost)
    ranked = [row.name for row in found.losses]
    for count in range(1, GOAL.max_float_layers + 1):
        reasons = dict.fromkeys(ranked[:count], "")
        theirs = workbench.full_score(found.table, with_choices(QuantizeTable(), reasons, "F16"))
        ours = max(p.cos for p in mixes.front if len(p.float_ops) <= count)
        assert ours >= theirs - 1e-12
    costs = [p.cost for p in mixes.front]
    assert costs == sorted(costs)
    assert costs[0] == 1.0


def test_a_budget_picks_the_best_within_it(workbench, bm1684x):
    two = {m: workbench.tables[m] for m in ("kl", "mse")}
    cost = _cost(workbench, bm1684x)
    for budget in (1.0, 1.05, 10.0):
        goal = replace(GOAL, budget=budget)
        mixes = search_pareto(workbench.trials(), two, workbench.start(), goal, cost)
        spent = cost.microseconds(mixes.qtable) / cost.microseconds(QuantizeTable())
        assert spent <= budget + 1e-9
        assert mixes.cos == max(p.cos for p in mixes.front if p.cost <= budget)


def test_points_that_another_beats_are_not_on_the_front():
    points = [
        FrontPoint((), 1.0, 0.9),
        FrontPoint(("a",), 1.2, 0.95),
        FrontPoint(("b",), 1.3, 0.94),
        FrontPoint(("c",), 1.2, 0.93),
    ]
    assert [p.float_ops for p in front_of(points)] == [(), ("a",)]


def test_a_clock_decides_what_a_mix_costs_where_it_knows(workbench, bm1684x):
    base = workbench.start().base
    plain = _cost(workbench, bm1684x)
    ticks = iter([30.0, 20.0, None, 20.0])
    timed = replace(plain, clock=lambda _: next(ticks))
    assert timed.relative(base, base) == 1.5
    assert timed.relative(base, base) == plain.relative(base, base) == 1.0
