"""Learned rounding against trying everything, and against a plain descent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpuc.kernels import _rounding


def problem(seed: int, rows: int, n: int):
    """H of whole numbers, where e begins, what flips may do, and e H + c."""
    chance = np.random.default_rng(seed)
    x = chance.integers(0, 40, (n, 3 * n)).astype(np.float64)
    h = x @ x.T
    e = chance.integers(-8, 9, (rows, n)) / 16.0
    room = np.where(e < 0, 1.0, -1.0) * (chance.random((rows, n)) < 0.8)
    c = chance.integers(-3000, 3000, (rows, n)).astype(np.float64)
    return h, e, room, c


def cost(h, e, c) -> float:
    return float(e @ h @ e + 2 * e @ c)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_no_single_flip_is_better_and_little_is_lost_against_all_choices(seed, n):
    h, e, room, c = problem(seed, 3, n)
    gradient, chosen = e @ h + c, room.copy()
    _rounding.descend(h[None], gradient[None], chosen[None], 2)
    moved = e + np.where(chosen != room, room, 0)
    assert np.array_equal(gradient, moved @ h + c)
    for r in range(3):
        now = cost(h, moved[r], c[r])
        assert now <= cost(h, e[r], c[r])
        for j in np.flatnonzero(room[r]):
            other = moved[r].copy()
            other[j] += chosen[r, j]
            assert cost(h, other, c[r]) >= now
        choices = itertools.product(*[(0, v) if v else (0,) for v in room[r]])
        best = min(cost(h, e[r] + np.array(pick), c[r]) for pick in choices)
        assert best <= now


def test_rows_are_descended_best_flip_first():
    h, e, room, c = problem(7, 20, 37)
    gradient, chosen = e @ h + c, room.copy()
    _rounding.descend(h[None], gradient[None], chosen[None], 1)
    for r in range(20):
        plain, now = (e @ h + c)[r], room[r].copy()
        while True:
            gain = np.where(now == 0, np.inf, np.diag(h) + 2 * now * plain)
            best = int(np.argmin(gain))
            if gain[best] >= 0:
                break
            plain = plain + now[best] * h[best]
            now[best] = -now[best]
        assert np.array_equal(now, chosen[r])


def test_threads_change_nothing_and_bad_shapes_are_refused():
    h, e, room, c = problem(3, 64, 50)
    results = []
    for threads in (1, 2, 5):
        gradient, chosen = e @ h + c, room.copy()
        _rounding.descend(h[None], gradient[None], chosen[None], threads)
        results.append(chosen)
    assert all(np.array_equal(results[0], other) for other in results)
    with pytest.raises(ValueError, match="shapes"):
        _rounding.descend(h[None], np.zeros((1, 64, 49)), room[None], 1)
    with pytest.raises(ValueError, match="finite"):
        _rounding.descend(h[None], np.full((1, 64, 50), np.nan), room[None], 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 20), st.integers(0, 40))
def test_moments_are_exact(seed, groups, n, count):
    chance = np.random.default_rng(seed)
    x = chance.integers(-255, 256, (groups, n, count))
    d = chance.integers(-(2**20), 2**20, (groups, n, count))
    h, cross = _rounding.moments(x.astype(np.float32), d.astype(np.float32), 2)
    assert np.array_equal(h, x @ x.transpose(0, 2, 1))
    assert np.array_equal(cross, d @ x.transpose(0, 2, 1))
