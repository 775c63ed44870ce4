"""The multiplier that is read from the mantissa is the one that trying every shift finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpuc.numerics.requant import _best, multipliers_shifts

FACTORS = st.floats(-(2.0**20), 2.0**20, width=32)


@pytest.mark.parametrize("positive", [False, True])
@settings(max_examples=400)
@given(st.lists(FACTORS | st.floats(0.0, 0.125, width=32), min_size=1, max_size=8))
def test_both_ways_agree(positive, factors):
    words = np.array(factors, np.float32)
    found = multipliers_shifts(words, 32, positive)
    for word, m, r in zip(words, *found):
        wanted = _best(word.tobytes(), 32, positive)
        assert (m, r) == (wanted[0][0], wanted[1][0]), word
    assert found[0].dtype == found[1].dtype == np.int64


def test_a_mantissa_is_kept_whole():
    factor = np.float32(0.1234567)
    (m,), (r,) = multipliers_shifts(np.array([factor]))
    assert np.float32(m / 2.0**r) == factor
    assert m % 2 == 1
