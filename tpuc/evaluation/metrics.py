"""How alike two tensors are: pure functions.

cosine = <a, b> / (|a| |b|)
SQNR   = 10 log10( var(a) / var(a - b) ) in dB, infinite when they are equal
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Similarity", "cosine", "sqnr"]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two arrays of the same size; 1 if both are zero, 0 if one is."""
    x, y = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    norms = float(np.sqrt(x @ x) * np.sqrt(y @ y))
    if norms == 0.0:
        return 1.0 if not x.any() and not y.any() else 0.0
    return float(x @ y) / norms


def sqnr(reference: np.ndarray, other: np.ndarray) -> float:
    """Signal to quantization noise in dB, means removed as in TPU-MLIR's npz_tool."""
    x = reference.reshape(-1).astype(np.float64)
    noise = x - other.reshape(-1).astype(np.float64)
    power, loss = float(x.var()), float(noise.var())
    if loss == 0.0:
        return math.inf
    return 10.0 * math.log10(power / loss) if power > 0 else -math.inf


class Similarity:
    """Running means of cosine and SQNR of one tensor over samples."""

    def __init__(self) -> None:
        self.cos: list[float] = []
        self.sqnr: list[float] = []

    def add(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Take in batches: rows are samples."""
        for a, b in zip(reference.reshape(len(reference), -1), other.reshape(len(other), -1)):
            self.cos.append(cosine(a, b))
            self.sqnr.append(sqnr(a, b))

    def mean_sqnr(self) -> float | None:
        """Mean of the finite values; None if every sample was equal."""
        finite = [v for v in self.sqnr if math.isfinite(v)]
        return float(np.mean(finite)) if finite else None
