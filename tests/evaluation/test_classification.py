"""Top-1, top-5, and what is written of them."""

from __future__ import annotations

import numpy as np

from tpuc.evaluation.classification import Classification, best_classes


def task() -> Classification:
    return Classification(["a", "b", "c"], np.array([2, 0, 5]), ["n0 cat", "n1 dog"])


def scores() -> np.ndarray:
    found = np.zeros((3, 7), np.float32)
    found[0, [2, 1]] = 0.9, 0.5
    found[1, [6, 5, 4, 3, 2]] = 5, 4, 3, 2, 1
    found[2, [0, 5]] = 3, 2
    return found


def test_figures_are_shares_of_samples() -> None:
    judge = task()
    records = judge.read(0, [scores()[:2]]) + judge.read(2, [scores()[2:, None, None]])
    assert judge.figures(records) == {"top1": 1 / 3, "top5": 2 / 3}


def test_the_first_of_equal_scores_wins() -> None:
    assert best_classes(np.array([[1.0, 3.0, 3.0, 0.0]]), 3).tolist() == [[1, 2, 0]]


def test_table_has_a_row_for_each_sample_and_columns_for_each_build() -> None:
    judge = task()
    records = judge.read(0, [scores()])
    rows = judge.table({"float": records, "INT8": records})
    assert rows[0] == ["sample", "label", "float_top1", "float_top5", "INT8_top1", "INT8_top5"]
    assert rows[1] == ["a", 2, 2, "2 1 0 3 4", 2, "2 1 0 3 4"]
    assert len(rows) == 4


def test_lines_name_classes() -> None:
    judge = task()
    record = judge.read(2, [scores()[2:]])[0]
    assert judge.lines(record)[:3] == ["Top-5", "n0 cat  3", "5  2"]
