"""A few values of a tensor, float and lowered side by side, for a picture of how they differ."""

from __future__ import annotations

from zlib import crc32

import numpy as np

__all__ = ["ValuePairs"]

_EXTREMES = 16


class ValuePairs:
    """Pairs of one tensor over samples: at random places, and where the difference is largest.

    Where both networks say zero there is nothing to see: such places are not taken.

    The places depend on the tensor's name alone, so that two runs show the same.

    Parameters
    ----------
    count : int
        Random pairs to keep, spread evenly over the samples.
    samples : int
        That will come.
    """

    def __init__(self, name: str, count: int, samples: int) -> None:
        self._random = np.random.default_rng(crc32(name.encode()))
        self._each, self._count = -(-count // max(samples, 1)), count
        self._pairs: list[tuple[float, float]] = []
        self._extremes: list[tuple[float, float]] = []

    def add(self, reference: np.ndarray, other: np.ndarray) -> None:
        """Take in batches: rows are samples."""
        rows = zip(reference.reshape(len(reference), -1), other.reshape(len(other), -1))
        for real, ours in rows:
            if len(self._pairs) < self._count:
                take = min(self._each, self._count - len(self._pairs), real.size)
                places = self._random.integers(real.size, size=8 * take)
                seen = places[(real[places] != 0) | (ours[places] != 0)][:take]
                self._keep(self._pairs, real, ours, seen)
            if len(self._extremes) < _EXTREMES:
                self._keep(self._extremes, real, ours, [int(np.abs(real - ours).argmax())])

    def _keep(
        self,
        kept: list[tuple[float, float]],
        real: np.ndarray,
        ours: np.ndarray,
        places: np.ndarray | list[int],
    ) -> None:
        for place in places:
            pair = float(f"{real[place]:.5g}"), float(f"{ours[place]:.5g}")
            if np.isfinite(pair).all():
                kept.append(pair)

    def result(self) -> tuple[list[float], list[float]]:
        """(float values, lowered values); the pairs with the largest differences come last."""
        pairs = [*self._pairs, *self._extremes]
        return [real for real, _ in pairs], [ours for _, ours in pairs]
