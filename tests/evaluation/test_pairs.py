from __future__ import annotations

import numpy as np

from tpuc.evaluation.pairs import ValuePairs


def _taken(name: str, samples: int, seed: int = 0, count: int = 200):
    random = np.random.default_rng(seed)
    real = random.normal(size=(samples, 3, 40, 40)).astype(np.float32)
    ours = np.round(real * 16) / 16
    ours[0, 1, 2, 3] = 9.0
    pairs = ValuePairs(name, count, samples)
    for start in range(0, samples, 4):
        pairs.add(real[start : start + 4], ours[start : start + 4])
    return real, ours, pairs.result()


def test_pairs_are_values_of_the_tensors_at_the_same_places():
    real, ours, (x, y) = _taken("conv", 7)
    assert len(x) == len(y) == 200 + 7
    known = {f"{a:.5g} {b:.5g}" for a, b in zip(real.reshape(-1), ours.reshape(-1))}
    assert all(f"{a:.5g} {b:.5g}" in known for a, b in zip(x, y))
    assert max(map(abs, x)) < 6


def test_the_largest_difference_is_among_them():
    _, _, (_, y) = _taken("conv", 7)
    assert 9.0 in y


def test_the_same_places_in_every_run_and_others_for_each_tensor():
    assert _taken("a", 5)[2] == _taken("a", 5)[2]
    assert _taken("a", 5)[2] != _taken("b", 5)[2]


def test_few_values_and_no_number():
    pairs = ValuePairs("x", 50, 1)
    pairs.add(np.array([[1.0, np.nan]]), np.array([[1.0, 2.0]]))
    x, y = pairs.result()
    assert set(x) <= {1.0} and set(y) <= {1.0}
