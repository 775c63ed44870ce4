"""Mixes of 4 bits, 8 bits and float: every point of the front against an independent full run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.search.test_four_bit_search import FOLDER, ROOT, FourBits
from tpuc.artifacts import Choice, QuantizeTable
from tpuc.calibration import table as table_text
from tpuc.ir.macs import macs_of
from tpuc.lowering.rules import can_be_four_bits
from tpuc.processors import load_processor
from tpuc.search import (
    CostModel,
    Goal,
    Journal,
    Limits,
    Small,
    Start,
    search_four_bits,
    search_pareto,
)
from tpuc.search.ladder import TypeLadder
from tpuc.search.saved import from_saved, to_saved

GOAL = Goal(expected_cos=0.0, max_float_layers=2)


@pytest.fixture(scope="module")
def workbench(golden):
    facts = yaml.safe_load((ROOT / "conf/processor/bm1688.yaml").read_text())
    bench = FourBits(golden("resnet18"), load_processor(facts))
    bench.table = table_text.read(FOLDER / "tables" / "resnet18")
    bench.processor = load_processor({**facts, "int4_tops": 32.0})
    bench.small = Small(tuple(n.name for n in bench.graph.nodes if can_be_four_bits(n)))
    bench.start = Start(bench.table, QuantizeTable(), "F16")
    bench.journal = Journal()
    return bench


def _cost(bench, processor=None) -> CostModel:
    natural = {n.name: "INT8" for n in bench.graph.nodes}
    natural.update(dict.fromkeys(bench.small.names, "INT4"))
    return CostModel(bench.graph, processor or bench.processor, natural)


def _search(bench, goal=GOAL, limits=None):
    tables = {"kl": bench.table}
    trials = bench.trials(None if limits else bench.journal, limits)
    return search_pareto(trials, tables, bench.start, goal, _cost(bench), bench.small)


@pytest.fixture(scope="module")
def found(workbench):
    return _search(workbench)


def _tables(bench, point):
    raised = {*point.int8_ops, *point.float_ops}
    rows = {n: Choice("INT8") for n in point.int8_ops}
    rows |= {n: Choice("F16") for n in point.float_ops}
    return bench.small.table(bench.table, [n for n in bench.small.names if n not in raised]), (
        QuantizeTable(rows)
    )


def test_every_point_has_the_score_and_the_cost_that_is_told(workbench, found):
    cost = _cost(workbench)
    eight = cost.microseconds(workbench.small.qtable(QuantizeTable(), ()))
    for point in found.front:
        table, qtable = _tables(workbench, point)
        assert point.cos == pytest.approx(workbench.full_score(table, qtable), abs=1e-12)
        assert point.cost == pytest.approx(cost.microseconds(qtable) / eight)
        assert len(point.float_ops) <= GOAL.max_float_layers
    costs, scores = [p.cost for p in found.front], [p.cos for p in found.front]
    assert costs == sorted(set(costs)) and scores == sorted(set(scores))
    all_four = cost.microseconds(QuantizeTable()) / eight  # an op that needs a cast may cost more
    assert found.front[0].cost <= all_four < 1.0 < found.front[-1].cost


def test_losses_are_of_the_network_in_8_bits_with_one_op_in_the_type(workbench, found):
    small, table = workbench.small, workbench.table
    whole = small.table(table, ()), small.qtable(QuantizeTable(), ())
    for row in (found.losses[0], found.losses[-1], found.losses[len(found.losses) // 2]):
        for tried in row.candidates:
            four = [row.name] if tried.method == "INT4" else []
            rows = small.qtable(QuantizeTable(), four).choices
            if tried.method == "F16":
                rows = {**rows, row.name: Choice("F16")}
            score = workbench.full_score(small.table(table, four), QuantizeTable(rows))
            assert tried.loss == pytest.approx(1.0 - score, abs=1e-12)
    types = {row.name: [c.method for c in row.candidates] for row in found.losses}
    assert {n for n, kinds in types.items() if kinds == ["INT4", "INT8", "F16"]} == set(small.names)
    assert all(k == ["INT8", "F16"] for n, k in types.items() if n not in set(small.names))
    assert found.quantized_cos == pytest.approx(workbench.full_score(*whole), abs=1e-12)


def test_the_front_is_never_below_the_search_for_8_bit_ops(workbench, found):
    start = Start(workbench.table, QuantizeTable(), "F16")
    tables, small = {"kl": workbench.table}, workbench.small
    ranked = search_four_bits(workbench.trials(), tables, start, small, 0.99)
    spent = _cost(workbench).relative(ranked.qtable, small.qtable(QuantizeTable(), ()))
    assert max(p.cos for p in found.front if p.cost <= spent + 1e-9) >= ranked.cos - 1e-12


@pytest.mark.parametrize("budget", [0.8, 1.0, 2.0])
def test_a_budget_picks_the_best_within_it_and_names_the_4_bit_ops(workbench, found, budget):
    chosen = _search(workbench, replace(GOAL, budget=budget))
    within = [p for p in found.front if p.cost <= budget] or found.front[:1]
    assert chosen.cos == within[-1].cos
    assert chosen.cos == pytest.approx(workbench.full_score(chosen.table, chosen.qtable), abs=1e-12)
    raised = {*chosen.int8_ops, *chosen.float_ops}
    assert set(chosen.table.int4_ops) == set(workbench.small.names) - raised
    assert set(chosen.qtable.choices) == raised


def test_the_cheapest_that_is_good_enough_is_taken_without_a_budget(workbench, found):
    middle = found.front[len(found.front) // 2].cos
    chosen = _search(workbench, goal=replace(GOAL, expected_cos=middle))
    assert chosen.cos == next(p.cos for p in found.front if p.cos > middle)


def test_steps_of_an_op_come_one_after_the_other(workbench, found):
    ladder = TypeLadder(found, QuantizeTable(), workbench.small, _cost(workbench), 2)
    for count in range(ladder.most + 1):
        for steps in ladder.sets(count):
            for index, (name, kind) in enumerate(steps):
                if kind == "F16" and name in workbench.small.names:
                    assert (name, "INT8") in steps[:index]
            assert not set(ladder.after(steps)) & set(steps)
    assert ladder.after(ladder.sets(ladder.most)[0]) == []


def test_4_bits_count_half_the_bytes_and_their_own_peak(workbench):
    """All in 8 bits, one Conv in 4: by hand."""
    small, cost = workbench.small, _cost(workbench)
    eight = small.qtable(QuantizeTable(), ())
    node = next(n for n in workbench.graph.nodes if n.name == small.names[3])
    x, out = node.inputs[0], node.output
    kept = sum(v.size for v in node.inputs if v is not None)
    speed = 64.0e3

    def longest(peak, moved):
        return max(2 * macs_of(node) / (peak * 1e6), moved / speed)

    for tops, peak in ((32.0, 32.0), (0.0, 16.0)):
        cost = _cost(workbench, replace(workbench.processor, int4_tops=tops))
        now = longest(16.0, kept + out.size)
        then = longest(peak, 0.5 * kept + out.size) + 1.5 * x.size / speed  # and its operand's cast
        spent = cost.microseconds(small.qtable(QuantizeTable(), [node.name]))
        assert spent - cost.microseconds(eight) == pytest.approx(then - now)


@pytest.mark.parametrize("trials", [3, 30, 70])
def test_a_search_that_was_stopped_has_a_legal_mix(workbench, trials):
    short = _search(workbench, limits=Limits(max_trials=trials))
    assert "max_trials" in short.stopped and short.front
    assert short.cos == pytest.approx(workbench.full_score(short.table, short.qtable), abs=1e-12)


def test_a_result_comes_back_from_its_file(found, tmp_path):
    to_saved(found, tmp_path)
    assert from_saved(tmp_path) == found
