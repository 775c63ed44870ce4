"""Similarity of tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tpuc.evaluation.metrics import Similarity, cosine, sqnr

_floats = hnp.arrays(np.float32, 64, elements=st.floats(-100, 100, width=32))


@given(_floats, _floats)
def test_cosine_is_numpys(a, b):
    x, y = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(x) * np.linalg.norm(y)
    if norms > 1e-6:
        assert cosine(a, b) == pytest.approx(float(x @ y / norms), abs=1e-9)


@given(_floats, _floats)
def test_sqnr_is_its_definition(a, b):
    noise = a.astype(np.float64) - b
    if a.std() > 1e-2 and noise.std() > 1e-2:
        expected = 10 * math.log10(a.astype(np.float64).var() / noise.var())
        assert sqnr(a, b) == pytest.approx(expected, abs=1e-5)


def test_equal_and_zero_tensors():
    a = np.arange(5, dtype=np.float32)
    assert cosine(a, a) == 1.0
    assert sqnr(a, a) == math.inf
    assert cosine(np.zeros(5), np.zeros(5)) == 1.0
    assert cosine(np.zeros(5), a) == 0.0


def test_running_figures_are_those_of_each_sample():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 2, 4)).astype(np.float32)
    b = a + 0.1 * rng.standard_normal((3, 2, 4)).astype(np.float32)
    running = Similarity()
    running.add(a, b)
    assert running.cos == [cosine(x, y) for x, y in zip(a, b)]
    assert running.mean_sqnr() == pytest.approx(np.mean([sqnr(x, y) for x, y in zip(a, b)]))
