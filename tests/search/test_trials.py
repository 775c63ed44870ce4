"""Trials: finished ones are kept, hopeless ones are given up, limits hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.bench import Workbench
from tpuc.artifacts import CalibrationTable, QuantizeTable, Range
from tpuc.ir import Graph, Value, with_defaults
from tpuc.search import Bench, Goal, Journal, Limits, Objective, Trials, search_qtable
from tpuc.search.trials import Exhausted


@pytest.fixture(scope="module")
def workbench(golden, bm1684x):
    return Workbench(golden("squeezenet1_1"), bm1684x)


def test_a_journal_remembers_and_ignores_a_line_cut_short(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    Journal(path).add("a", {"cos": 0.5, "snr": 1.0, "partial": False})
    with path.open("a") as file:
        file.write(json.dumps({"key": "b", "cos": 0.25})[:-5])
    again = Journal(path)
    assert len(again) == 1
    assert again.find("a") == {"key": "a", "cos": 0.5, "snr": 1.0, "partial": False}
    assert again.find("b") is None


def test_a_search_that_was_stopped_goes_on_after_its_last_trial(workbench, tmp_path):
    goal = Goal(0.99999, 3)
    path = tmp_path / "journal.jsonl"
    whole = workbench.trials()
    expected = search_qtable(whole, workbench.tables, workbench.start(), goal)
    first = workbench.trials(Journal(path), Limits(max_trials=7))
    stopped = search_qtable(first, workbench.tables, workbench.start(), goal)
    assert stopped.stopped == "search.max_trials=7 reached"
    assert first.ran == 7
    second = workbench.trials(Journal(path))
    found = search_qtable(second, workbench.tables, workbench.start(), goal)
    assert found == expected
    assert second.ran == whole.ran - 7


def test_tables_in_turn_score_as_one_by_one(workbench):
    tables = [workbench.tables[m] for m in ("kl", "mse", "kl")]
    trials, single = workbench.trials(), workbench.trials()
    assert list(trials.each(tables, QuantizeTable())) == [
        single.score(table, QuantizeTable()) for table in tables
    ]
    assert (trials.ran, trials.count) == (2, 3)
    found = workbench.trials(limits=Limits(max_trials=1)).each(tables, QuantizeTable())
    next(found)
    with pytest.raises(Exhausted, match="max_trials=1 reached"):
        next(found)


def test_a_limit_of_time_leaves_what_was_found(workbench):
    trials = workbench.trials(limits=Limits(max_seconds=0.0))
    trials.score(workbench.tables["kl"], QuantizeTable())
    with pytest.raises(Exhausted, match="max_seconds=0 reached"):
        trials.score(workbench.tables["mse"], QuantizeTable())
    found = search_qtable(
        workbench.trials(limits=Limits(max_trials=3)), workbench.tables, workbench.start(),
        Goal(0.99999, 3),
    )  # fmt: skip
    assert found.table == workbench.tables["mse"]
    assert found.cos == found.quantized_cos
    found = search_qtable(
        workbench.trials(limits=Limits(max_trials=12)), workbench.tables, workbench.start(),
        Goal(0.99999, 3),
    )  # fmt: skip
    assert found.losses and found.cos >= found.quantized_cos
    score = workbench.trials().score(found.table, found.qtable)
    assert score.cos == found.cos


def _line() -> Graph:
    graph = Graph("net")
    x, y = Value("input", (1, 2)), Value("out", (1, 2))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    graph.add("Relu", [x], [y], with_defaults("Relu", {}))
    graph.outputs = [y]
    return graph


class _Angles:
    """A runner whose 'network' turns its output by angles that hang on the table alone."""

    def __init__(self, angles: list[list[float]]) -> None:
        self.angles = angles
        self.batches = 0

    def hold(self, base, variants, at) -> None:
        """Nothing is kept."""

    def run(self, graph, names):
        """One inference a batch."""
        for angle in self.angles[graph.attrs["table"]]:
            self.batches += 1
            yield {"out": np.array([[np.cos(angle), np.sin(angle)]])}


@given(st.lists(st.lists(st.floats(0, 3), min_size=5, max_size=5), min_size=2, max_size=4))
def test_giving_up_never_changes_which_candidate_wins(angles):
    graph, runner = _line(), _Angles(angles)

    def lower(table, qtable):
        lowered = _line()
        lowered.attrs["table"] = int(table.ranges["out"].threshold)
        return lowered

    reference = [{"out": np.array([[1.0, 0.0]])}] * 5
    objective = Objective(("out",), [1.0])
    bench = Bench(graph, lower, runner, runner, reference, objective)
    tables = [CalibrationTable({"out": Range(float(i), 0.0, 1.0)}) for i in range(len(angles))]
    trials = Trials(bench, Journal())
    scores = trials.variants("out", (tables[0], QuantizeTable()), tables, QuantizeTable())
    losses = [float(np.mean([0.5 - 0.5 * np.cos(a) for a in row])) for row in angles]
    best = min(range(len(scores)), key=lambda i: scores[i].loss)
    assert losses[best] == pytest.approx(min(losses), abs=1e-12)
    assert not scores[best].partial
    for score, loss in zip(scores, losses):
        assert score.loss <= loss + 1e-12
    assert runner.batches <= 5 * len(angles)
