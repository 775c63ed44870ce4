"""Runs of numbers that equal steps can say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpuc.backends.bm1684x.rules.boxes import Run, boxes_of, runs_of


def _read(runs: list[Run], count: int) -> list[int]:
    found = [-1] * count
    for run in runs:
        for i in range(run.count):
            assert found[run.target + i * run.apart] == -1
            found[run.target + i * run.apart] = run.source + i * run.step
    return found


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_runs_are_the_numbers_again(indices: list[int]) -> None:
    runs = runs_of(indices)
    assert _read(runs, len(indices)) == indices
    assert all(run.step > 0 for run in runs)


@pytest.mark.parametrize(
    ("indices", "count"),
    [
        (range(100), 1),
        (np.arange(50).repeat(3).tolist(), 3),
        (range(0, 60, 7), 1),
        (range(9, -1, -1), 10),
        ([0, *np.arange(1, 8).repeat(2).tolist(), 8], 2),
    ],
)
def test_runs_are_few(indices, count: int) -> None:
    assert len(runs_of(list(indices))) == count


def test_a_box_for_each_choice_of_runs() -> None:
    before, after = (2, 5), (2, 10)
    runs = [[Run(0, 0, 2)], [Run(i, 0, 5, 1, 2) for i in range(2)]]
    x, y = np.arange(10), np.full(20, -1)
    for box in boxes_of(before, after, runs):
        for i, j in np.ndindex(*box.sizes):
            to, source = (
                first + i * steps[0] + j * steps[1] for first, steps in zip(box.firsts, box.steps)
            )
            y[to] = x[source]
    np.testing.assert_array_equal(y.reshape(after), x.reshape(before).repeat(2, 1))
