from __future__ import annotations

import dataclasses
import subprocess

import pytest

from tests.reports.sample import layers, report
from tpuc.reports import Accuracy, SearchedOp, SearchView, judge
from tpuc.reports.commands import changed, float_ops
from tpuc.reports.verdict import losses


@pytest.mark.parametrize(
    ("accuracy", "level"),
    [
        (Accuracy(), "unknown"),
        (Accuracy(20, 0.99), "good"),
        (Accuracy(20, 0.9899), "fair"),
        (Accuracy(20, 0.9699), "poor"),
        (Accuracy(20, 0.999, float_top1=0.75, top1=0.745), "good"),
        (Accuracy(20, 0.999, float_top1=0.75, top1=0.73), "fair"),
        (Accuracy(20, 0.999, float_map=0.5, map=0.4), "poor"),
        (Accuracy(20, 0.999, goals_missed=("cosine 0.999 is below 0.9999.",)), "poor"),
    ],
)
def test_level(accuracy, level):
    assert judge(report(accuracy=accuracy)).level == level


def test_a_good_build_needs_no_advice():
    assert judge(report()).hints == ()


def test_text_names_figures():
    text = judge(report(accuracy=Accuracy(20, 0.98, float_top1=0.75, top1=0.70))).text
    assert "0.98" in text and "loses 5.0 points" in text and "20 samples" in text


def test_losses_are_measured_against_the_worst_input():
    found = losses(layers())
    assert [loss.layer.name for loss in found] == ["conv"]  # relu gains, the last has no figure
    assert found[0].before == 1.0 and found[0].drop == pytest.approx(0.05)


def test_a_clipped_layer_is_named():
    clipped = dataclasses.replace(layers()[1], threshold=1.0)
    poor = report(layers=(layers()[0], clipped), accuracy=Accuracy(20, 0.9))
    hints = judge(poor).hints
    assert any("'conv' is cut at 1" in hint.why for hint in hints)
    assert any(hint.keys == "dataset.path=FOLDER calibration.input_num=100" for hint in hints)


def test_overlap_is_answered():
    flattered = dataclasses.replace(report().accuracy, overlap="12 of 20")
    assert judge(report(accuracy=flattered)).hints[0].keys == "evaluation.path=FOLDER"


def _searched(**changes):
    ops = tuple(SearchedOp(f"op{i}", "Conv", 0.1 / (i + 1), "kl") for i in range(3))
    floats = tuple(dataclasses.replace(op, dtype="f16") for op in ops[:2])
    found = SearchView("qtable", 30, 0.9, 0.95, 0.99, (*floats, ops[2]))
    found = dataclasses.replace(found, **changes)
    hints = judge(report(accuracy=Accuracy(20, 0.9), search=found)).hints
    return {hint.keys for hint in hints}


def test_a_missed_goal_asks_for_no_more_float_ops_than_there_are():
    keys = _searched()
    assert "search.max_float_layers=3" in keys and "search=pareto" in keys
    assert not {k for k in _searched(method="pareto") if k == "search=pareto"}


def test_a_search_that_was_stopped_is_to_go_on():
    assert "search.max_seconds=null" in _searched(stopped="search.max_seconds=5 reached")


def test_a_goal_that_was_reached_asks_for_a_higher_one_where_judges_fare_worse():
    assert {k for k in _searched(after=0.992) if k.startswith("search")} == {
        "search.expected_cos=0.9960"
    }
    found = SearchView("qtable", 30, 0.9, 0.95, 0.94)
    served = report(accuracy=Accuracy(20, 0.96), search=found)
    assert not [hint for hint in judge(served).hints if hint.keys.startswith("search")]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("search=qtable", "tpuc recipe=digits calibration=kl search=qtable"),
        ("-m calibration=kl,mse", "tpuc -m recipe=digits calibration=kl,mse"),
        ("evaluation.path=FOLDER", ""),
        ("quantize.table=FILE", ""),
    ],
)
def test_what_to_try_is_a_whole_command(keys, wanted):
    """Keys replace what the run said of them; its folder is left alone."""
    assert changed("tpuc recipe=digits calibration=kl hydra.run.dir=first", keys) == wanted


def test_a_table_of_types_is_written_by_the_command_that_reads_it(tmp_path):
    command = float_ops("tpuc recipe=digits", ["a b F16", "/c'd F16"])
    writing, _, build = command.partition(" && ")
    assert build == "tpuc recipe=digits quantize.table=types"
    subprocess.run(["sh", "-c", writing], cwd=tmp_path, check=True)
    assert (tmp_path / "types").read_text() == "a b F16\n/c'd F16\n"
    assert float_ops("", ["a F16"]) == ""
