"""What searches compare, and how."""

from __future__ import annotations

import numpy as np
import pytest

from tpuc.errors import ConfigError
from tpuc.search import Accuracy, Objective, parse_compare_layers
from tpuc.search.objective import Reference


def test_without_names_the_outputs_are_compared(golden):
    graph = golden("resnet18")
    names, rates = parse_compare_layers(None, graph)
    assert names == (graph.outputs[0].name,)
    assert rates == [1.0]


def test_names_with_and_without_rates(golden):
    graph = golden("resnet18")
    a, b = graph.nodes[3].name, graph.nodes[6].name
    assert parse_compare_layers(f"{a}, {b}", graph) == ((a, b), [1.0, 1.0])
    assert parse_compare_layers(f"{a}:0.3,{b}:0.7", graph) == ((a, b), [0.3, 0.7])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a}x", "has no op '{a}x'; did you mean '{a}'"),
        ("{a}:0.3,{b}:0.6", "rates sum to 0.9; expected 1"),
        ("{a}:0.3,{b}", "each layer needs a rate, or none"),
        ("{a}:1.3,{b}:-0.3", "rates sum to 1; expected 1"),
    ],
)
def test_wrong_names_and_rates_are_one_line(golden, text, message):
    graph = golden("resnet18")
    names = {"a": graph.nodes[3].name, "b": graph.nodes[6].name}
    with pytest.raises(ConfigError) as error:
        parse_compare_layers(text.format(**names), graph)
    assert message.format(**names) in str(error.value)
    assert "\n" not in str(error.value)


def test_scores_are_weighted_means():
    objective = Objective(("a", "b"), [0.25, 0.75])
    x = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 2.0])}
    y = {"a": np.array([0.0, 1.0]), "b": np.array([0.0, 2.0])}
    score = objective.score(Reference(x), y)
    assert score.cos == pytest.approx(0.25 * 0.5 + 0.75 * 1.0)
    assert score.snr == pytest.approx(0.25 * 2.0)
    assert score.loss == pytest.approx(1 - score.cos)


@pytest.mark.parametrize("bad", [np.zeros(2), np.array([np.nan, 1.0]), np.array([np.inf, 0.0])])
def test_outputs_without_direction_score_a_half(bad):
    score = Objective(("a",), [1.0]).score(Reference({"a": np.array([1.0, 0.0])}), {"a": bad})
    assert score.cos == 0.5


def test_a_post_process_that_fails_or_returns_nothing_is_named():
    def fails(data):
        raise RuntimeError("no boxes")

    for function, message in ((fails, "RuntimeError: no boxes"), (lambda d: None, "NoneType")):
        with pytest.raises(ConfigError, match=message):
            Objective(("a",), [1.0], function).final({"a": np.zeros(2)})


def test_a_post_process_must_give_the_same_shapes_for_both():
    objective = Objective(("a",), [1.0], lambda d: {"kept": d["a"][d["a"] > 0]})
    ours = objective.final({"a": np.array([1.0, 2.0])})
    theirs = objective.final({"a": np.array([1.0, -2.0])})
    with pytest.raises(ConfigError, match="expected the same names and shapes"):
        objective.score(Reference(ours), theirs)


def test_accuracy_counts_right_classes_and_breaks_ties_by_nearness():
    task = Accuracy(Objective(("a",), [1.0]), (1, 0))
    real = Reference({"a": np.array([0.1, 0.9])})
    near, far = {"a": np.array([0.2, 0.8])}, {"a": np.array([0.45, 0.55])}
    assert task.score_at(0, real, near).cos > task.score_at(0, real, far).cos > 0.99
    assert task.score_at(1, real, near).cos == 0.0
