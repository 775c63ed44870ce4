"""How alike two tensors are: pure functions.

cosine = <a, b> / (|a| |b|)
SQNR   = 10 log10( var(a) / var(a - b) ) in dB, infinite when they are equal
"""

from __future__ import annotations

import math

import numpy as np

from tpuc.kernels import _calib  # type: ignore[attr-defined]

__all__ = ["Similarity", "cosine", "sqnr"]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two arrays of the same size; 1 if both are zero, 0 if one is."""
    return _cosine(_sums(a.reshape(1, -1), b.reshape(1, -1))[0])


def sqnr(reference: np.ndarray, other: np.ndarray) -> float:
    """Signal to quantization noise in dB, means removed as in TPU-MLIR's npz_tool."""
    sums = _sums(reference.reshape(1, -1), other.reshape(1, -1))[0]
    return _sqnr(sums, reference.size)


def _sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Six sums of each pair of rows: a*b, a*a, b*b, a, a-b, (a-b)**2."""
    x, y = (np.ascontiguousarray(v, np.float32) for v in (a, b))
    return np.asarray(_calib.similarity(x, y, 1))


def _cosine(sums: np.ndarray) -> float:
    norms = math.sqrt(sums[1]) * math.sqrt(sums[2])
    if norms == 0.0:
        return 1.0 if sums[1] == sums[2] == 0.0 else 0.0
    return 1.0 if sums[5] == 0.0 else float(sums[0] / norms)


def _sqnr(sums: np.ndarray, size: int) -> float:
    power = sums[1] / size - (sums[3] / size) ** 2
    loss = sums[5] / size - (sums[4] / size) ** 2
    if loss <= 0.0:
        return math.inf
    return 10.0 * math.log10(power / loss) if power > 0 else -math.inf


class Similarity:
    """Running cosine and SQNR of one tensor over samples."""

    def __init__(self) -> None:
        self.cos: list[float] = []
        self.sqnr: list[float] = []

    def add(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Take in batches: rows are samples."""
        count = len(reference)
        for sums in _sums(reference.reshape(count, -1), other.reshape(count, -1)):
            self.cos.append(_cosine(sums))
            self.sqnr.append(_sqnr(sums, reference[0].size))

    def mean_sqnr(self) -> float | None:
        """Mean of the finite values; None if every sample was equal."""
        finite = [v for v in self.sqnr if math.isfinite(v)]
        return float(np.mean(finite)) if finite else None
