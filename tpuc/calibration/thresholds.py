"""Threshold methods: pure functions of what the observers counted.

kl             the histogram cut that loses least information (Kullback-Leibler; TensorRT, 2017)
mse            Octav: the clip that minimizes squared error (Sakr et al., 2022)
max            largest |x|
percentile9999 a high percentile, interpolated
aciq_gauss, aciq_laplace  the analytic clip for that distribution (Banner et al., 2019)
"""

from __future__ import annotations

import math

import numpy as np

from tpuc.kernels import _calib  # type: ignore[attr-defined]

__all__ = ["ACIQ_GAUSS", "ACIQ_LAPLACE", "gauss_std", "interpolate", "kl_threshold"]

ACIQ_GAUSS = 3.92403337
ACIQ_LAPLACE = 9.89675982
"""Optimal clip in standard deviations (or Laplace's b) for 8 bits."""

_GROUPS = 128
_MAX_BINS = 131072


def kl_threshold(counts: np.ndarray, width: float, groups: int = _GROUPS) -> float:
    """Threshold of a histogram.

    Parameters
    ----------
    counts : int64 array of shape (bins,)
    width : float
        Width of a bin.
    groups : int
        Levels of the quantized distribution: 128 for 8 bits, 8 for 4.
    """
    counts = _padded(np.asarray(counts, np.int64), _GROUPS)  # of 8 groups too, as TPU-MLIR
    while len(counts) > _MAX_BINS:
        counts = _padded(counts.reshape(-1, 2).sum(axis=1), groups)
        width *= 2
    best = _calib.kl_search(np.ascontiguousarray(counts), groups)
    return float(np.float32(width) * np.float32(best + 1) * np.float32(groups))


def _padded(counts: np.ndarray, groups: int) -> np.ndarray:
    return np.pad(counts, (0, -len(counts) % groups))


def gauss_std(low: float, high: float, count: int) -> float:
    """Standard deviation guessed from the range of `count` numbers, as ACIQ does."""
    c = 0.5 * 0.35 * (1.0 + math.sqrt(math.pi * math.log(4.0)))
    return (high - low) * c / math.sqrt(2.0 * math.log(max(count, 2)))


def interpolate(sorted_edge: np.ndarray, percentile: float, total: int) -> float:
    """Linear interpolation between the two largest kept numbers, as numpy's percentile.

    `sorted_edge` holds them ascending; the position is percentile / 100 * (total - 1).
    """
    position = percentile / 100.0 * (total - 1)
    part = position - math.floor(position)
    if len(sorted_edge) == 1:
        return float(sorted_edge[0])
    return float(sorted_edge[0] + part * (sorted_edge[1] - sorted_edge[0]))
