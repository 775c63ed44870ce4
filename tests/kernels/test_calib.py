"""Calibration loops in C against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpuc.kernels import _calib

LENGTHS = st.integers(1, 5000)
SEEDS = st.integers(0, 2**31)


def _rows(seed: int, length: int, rows: int = 2, zeros: float = 0.4) -> np.ndarray:
    """Normal numbers, some of them exact zeros and some clipped at 1.5, as activations are."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, length)).astype(np.float32)
    x[rng.random(x.shape) < zeros] = 0.0
    return np.minimum(x, np.float32(1.5))


@settings(max_examples=30)
@given(SEEDS, LENGTHS)
def test_observe_sums_up_each_row(seed, length):
    x = _rows(seed, length)
    found = _calib.observe(x, 2)
    wide = x.astype(np.float64)
    expected = [x.min(1), x.max(1), wide.sum(1), np.abs(wide).sum(1), (x != 0).sum(1), [1, 1]]
    np.testing.assert_allclose(found, np.array(expected).T, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(found[:, :2], np.array(expected[:2]).T)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1023, 1024, 2999])
def test_observe_sees_every_number_that_is_not_finite(bad, place):
    x = _rows(0, 3000)
    x[1, place] = bad
    assert _calib.observe(x, 1)[:, 5].tolist() == [1.0, 0.0]


@settings(max_examples=30)
@given(SEEDS, LENGTHS, st.sampled_from([128, 2048, 9000]))
def test_histograms_count_what_is_not_zero(seed, length, bins):
    x = _rows(seed, length)
    widths = np.array([0.9 * max(np.abs(r).max(), 1e-3) / (bins - 1) for r in x], np.float32)
    lengths = np.array([bins, bins // 2], np.int64)
    found = _calib.histograms(x, widths, lengths, 2)
    for row, width, size, counts in zip(x, widths, lengths, found):
        index = np.floor(np.abs(row[row != 0]) / width + np.float32(0.5)).astype(np.int64)
        expected = np.bincount(index[index < size], minlength=found.shape[1])
        np.testing.assert_array_equal(counts, expected)


def test_a_width_of_zero_leaves_its_row_empty():
    found = _calib.histograms(
        _rows(1, 100), np.zeros(2, np.float32), np.array([16, 16], np.int64), 1
    )
    assert not found.any()


def _octav(row: np.ndarray, s: float, quarter: float) -> float:
    x = np.abs(row).astype(np.float64)
    for _ in range(20):
        above = x[x > np.float32(s)]
        next_s = above.sum() / ((x.size - above.size) * quarter + above.size)
        if abs(next_s - s) < 1e-6:
            break
        s = next_s
    return float(s)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000, 40_000])
def test_octav_is_newtons_method(isa, seed, length):
    x = _rows(seed, length)
    quarter = np.full(2, 1.0 / (4.0**8 * 3.0))
    start = np.abs(x).mean(axis=1, dtype=np.float64) + seed  # also from above the optimum
    expected = [_octav(r, s, q) for r, s, q in zip(x, start, quarter)]
    np.testing.assert_allclose(_calib.octav(x, start, quarter), expected, rtol=1e-6, atol=1e-7)


@settings(max_examples=20)
@given(SEEDS, LENGTHS)
def test_absolute_deviation(seed, length):
    x = _rows(seed, length)
    means = x.mean(axis=1, dtype=np.float64).astype(np.float32)
    expected = np.abs(x - means[:, None]).astype(np.float64).sum(1)
    np.testing.assert_allclose(_calib.absolute_deviation(x, means, 2), expected, rtol=1e-5)


@settings(max_examples=20)
@given(SEEDS, LENGTHS)
def test_similarity_and_squared_distance(seed, length):
    a, b = _rows(seed, length), _rows(seed + 1, length)
    p, q = a.astype(np.float64), b.astype(np.float64)
    n = p - q
    expected = np.array([(p * q), (p * p), (q * q), p, n, n * n]).sum(axis=2).T
    np.testing.assert_allclose(_calib.similarity(a, b, 2), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(_calib.squared_distance(a, b), expected[:, 5], rtol=1e-9)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shapes differ"):
        _calib.similarity(_rows(0, 8), _rows(0, 9), 1)
    with pytest.raises(ValueError, match="lengths differ"):
        _calib.fake_quantize(np.zeros(4, np.float32), 1.0, np.zeros(5, np.float32))


@settings(max_examples=30)
@given(SEEDS, LENGTHS, st.floats(0.01, 8.0))
def test_fake_quantize_rounds_to_127_steps(seed, length, threshold):
    x = _rows(seed, length, rows=1)[0] * np.float32(3)
    scale = np.float32(127.0 / threshold)
    out = np.empty_like(x)
    _calib.fake_quantize(x, float(scale), out)
    expected = np.clip(np.rint(x * scale), -128, 127).astype(np.float32) / scale
    np.testing.assert_array_equal(out, expected)


def _divergence(counts: np.ndarray, end: int, group: int) -> float:
    """KL divergence of a histogram cut at bin `end` against its `group` merged levels."""
    width = end // group
    p = counts[:end].astype(np.float64).copy()
    p[end - 1] = counts[end - 1 :].sum()
    q = np.zeros(end)
    for g in range(group):
        part = counts[g * width : (g + 1) * width]
        filled = part > 0
        if filled.any():
            q[g * width : (g + 1) * width][filled] = part.sum() / filled.sum()
    p, q = p / p.sum(), q / max(q.sum(), 1e-30)
    both = p > 0
    return float((p[both] * np.log(p[both] / np.maximum(q[both], 1e-4))).sum())


@pytest.mark.parametrize("seed", range(4))
def test_kl_search_finds_a_low_divergence(seed):
    rng = np.random.default_rng(seed)
    x = np.abs(rng.standard_normal(200_000)) * (1 + seed)
    counts, _ = np.histogram(x, 512, (0, x.max() * 2))
    group = 32
    found = _calib.kl_search(counts.astype(np.int64), group)
    ends = range(group, len(counts) + 1, group)
    by_end = {end: _divergence(counts, end, group) for end in ends}
    chosen = (found + 1) * group
    assert by_end[chosen] <= min(by_end.values()) * 1.5 + 1e-3
