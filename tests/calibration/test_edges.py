"""The largest numbers of a stream, however it comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpuc.calibration.observers import EdgeKeeper


@settings(max_examples=60)
@given(
    st.integers(0, 2**31), st.integers(1, 400),
    st.lists(st.integers(0, 4000), min_size=1, max_size=6), st.booleans(),
)  # fmt: skip
def test_the_largest_are_those_of_sorting_everything(seed, size, lengths, clipped):
    rng = np.random.default_rng(seed)
    parts = [rng.standard_normal(n).astype(np.float32) for n in lengths]
    if clipped:  # many equal numbers at the top, as behind Relu6
        parts = [np.minimum(p, np.float32(0.5)) for p in parts]
    keeper = EdgeKeeper(size)
    for part in parts:
        if part.size and part.max() > keeper.bound:
            keeper.add(part)
    everything = np.sort(np.concatenate(parts))
    np.testing.assert_array_equal(keeper.largest(), everything[-size:])


@pytest.mark.parametrize("order", [1, -1])
def test_sorted_streams_too(order):
    numbers = np.arange(100_000, dtype=np.float32)[::order].copy()
    keeper = EdgeKeeper(50)
    for part in np.split(numbers, 10):
        keeper.add(part)
    np.testing.assert_array_equal(keeper.largest(), np.arange(99_950, 100_000))
