"""What is remembered of a tensor while samples stream by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tpuc.calibration.thresholds import ACIQ_GAUSS, ACIQ_LAPLACE, gauss_std, interpolate
from tpuc.kernels import _calib  # type: ignore[attr-defined]

__all__ = ["AbsHistogram", "EdgeKeeper", "TensorObserver"]

_HUGE = 8_000_000
_STEP, _SPARE = 64, 16
"""Every so many numbers guess where the largest begin; the guess is on the safe side."""
Change = Callable[[np.ndarray], np.ndarray]


@dataclass
class AbsHistogram:
    """Histogram of |x| whose range grows with the data.

    The first sample that is not all zero fixes the width; a larger sample adds bins of (almost)
    the same width. The rule, including its small inconsistency, is TPU-MLIR's.
    """

    bins: int = 2048
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    width: float = 0.0
    top: float = 0.0

    def plan(self, largest: float) -> tuple[float, int]:
        """(width, bins) that a sample with running maximum `largest` must be counted with."""
        if self.width == 0.0:
            return largest / (self.bins - 1), self.bins
        length = len(self.counts) if len(self.counts) else self.bins
        if largest <= self.top:
            return self.top / (length - 1), length
        step = self.top / length
        more = int((largest - self.top) // step + 1)
        top = more * step + self.top
        return top / (length + more - 1), length + more

    def note(self, largest: float, width: float, bins: int) -> None:
        """Adopt a planned width (before the sample's counts arrive)."""
        if self.width == 0.0:
            self.top, self.counts = largest, np.zeros(bins, np.int64)
            self.width = width
        elif largest > self.top:
            step = self.top / len(self.counts)
            more = bins - len(self.counts)
            self.top = more * step + self.top
            kept = np.zeros(bins, np.int64)
            if bins <= _HUGE:
                kept[: len(self.counts)] = self.counts
            self.counts, self.width = kept, width

    def add(self, counts: np.ndarray) -> None:
        """Add a sample's counts."""
        self.counts[: len(counts)] += counts


@dataclass
class EdgeKeeper:
    """The `size` largest numbers seen so far."""

    size: int
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    bound: float = -np.inf
    more: list[np.ndarray] = field(default_factory=list)
    waiting: int = 0

    def add(self, x: np.ndarray) -> None:
        """Offer numbers (any order)."""
        found = x[x > self.bound] if np.isfinite(self.bound) else self._first(x)
        if found.size == 0:
            return
        self.more.append(found)
        self.waiting += found.size
        if self.waiting > self.size or not np.isfinite(self.bound):
            self._join()

    def _first(self, x: np.ndarray) -> np.ndarray:
        """Of the first numbers, some that have the `size` largest among them."""
        few = x[::_STEP]
        rank = 2 * self.size // _STEP + _SPARE
        if rank < few.size:
            found = x[x >= np.partition(few, few.size - rank)[-rank]]
            if found.size >= self.size:
                return found
        return x.copy()

    def _join(self) -> None:
        joined = np.concatenate([self.kept, *self.more])
        if joined.size > self.size:
            joined = np.partition(joined, joined.size - self.size)[-self.size :]
        if joined.size == self.size:
            self.bound = float(joined.min())
        self.kept, self.more, self.waiting = joined, [], 0

    def largest(self) -> np.ndarray:
        """Ascending."""
        self._join()
        return np.sort(self.kept)


@dataclass
class TensorObserver:
    """Everything about one tensor that the wanted methods need.

    Parameters
    ----------
    methods : frozenset of str
    percentile : float
        Of this tensor, for percentile9999.
    samples : int
        How many will come (the percentile's edge size depends on it).
    last : bool
        One of the last five tensors, which mse and aciq treat in a special way.
    four_bits : bool
        Thresholds for 4 bits are wanted too.
    """

    name: str
    methods: frozenset[str]
    bins: int
    percentile: float
    samples: int
    last: bool = False
    four_bits: bool = False
    low: float = 0.0
    high: float = 0.0
    seen: int = 0
    elements: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    histogram: AbsHistogram = field(default_factory=AbsHistogram)
    edges: dict[str, EdgeKeeper] = field(default_factory=dict)
    torch_range: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        self.histogram.bins = self.bins

    @property
    def abs_max(self) -> float:
        """Largest |x| so far, float32."""
        return max(abs(self.low), abs(self.high))

    def update(self, rows: np.ndarray) -> int | None:
        """Take in samples, one a row (float32).

        Returns
        -------
        int or None
            Index of the first row with a value that is not finite; nothing of it is counted.
        """
        stats = _calib.observe(rows, 1)
        broken = np.flatnonzero(stats[:, 5] == 0)
        if broken.size:
            return int(broken[0])
        widths = np.zeros(len(rows), np.float32)
        lengths = np.ones(len(rows), np.int64)
        plans: list[tuple[float, float, int] | None] = []
        self.elements = rows.shape[1]
        probe = AbsHistogram(self.bins, self.histogram.counts, self.histogram.width,
                             self.histogram.top)  # fmt: skip
        for i, row in enumerate(stats):
            first = self.seen == 0
            self.low = float(row[0]) if first else min(self.low, float(row[0]))
            self.high = float(row[1]) if first else max(self.high, float(row[1]))
            self.seen += 1
            if "kl" not in self.methods or max(abs(row[0]), abs(row[1])) < 1e-8:
                plans.append(None)
                continue
            width, length = probe.plan(self.abs_max)
            probe.note(self.abs_max, width, length)
            plans.append((self.abs_max, width, length))
            widths[i], lengths[i] = width, length
        if "kl" in self.methods and any(plans):
            found = _calib.histograms(rows, widths, lengths, 1)
            for i, plan in enumerate(plans):
                if plan is not None:
                    self.histogram.note(*plan)
                    self.histogram.add(found[i, : plan[2]])
        self._moments(rows, stats)
        return None

    def _moments(self, rows: np.ndarray, stats: np.ndarray) -> None:
        n = rows.shape[1]
        if "mse" in self.methods:
            self._octav("mse", rows, stats, 8)
            if self.four_bits:
                self._octav("mse4", rows, stats, 4)
        if "aciq_gauss" in self.methods:
            for row in stats:
                self._sum("aciq_gauss", ACIQ_GAUSS * gauss_std(row[0], row[1], n))
        if "aciq_laplace" in self.methods:
            means = (stats[:, 2] / n).astype(np.float32)
            spread = _calib.absolute_deviation(rows, means, 1) / n
            for value in spread:
                self._sum("aciq_laplace", float(ACIQ_LAPLACE * value))
        if "percentile9999" in self.methods:
            self._edge("high", rows, stats[:, 1])
            self._edge("low", rows, -stats[:, 0], np.negative)
        if self.last and self.methods & {"mse", "aciq_gauss", "aciq_laplace"}:
            tops = np.maximum(np.abs(stats[:, 0]), np.abs(stats[:, 1]))
            self._edge("absolute", rows, tops, np.abs)
        if "kurtosis" in self.methods:
            for values in rows:
                self._sum("kurtosis", _kurtosis(values))

    def _octav(self, key: str, rows: np.ndarray, stats: np.ndarray, bits: int) -> None:
        unsigned = np.abs(stats[:, 0]) < 1e-6
        quarter = 1.0 / (4.0**bits * 3.0 * np.where(unsigned, 4.0, 1.0))
        start = stats[:, 3] / np.maximum(stats[:, 4], 1.0)
        scales = _calib.octav(rows, start, quarter)
        scales = np.where(stats[:, 4] == 0, 1.0, scales)
        for scale in scales:  # one by one: the batch size must not show in the last bits
            self._sum(key, float(scale))

    def _sum(self, key: str, value: float) -> None:
        self.sums[key] = self.sums.get(key, 0.0) + value

    def _edge(
        self, key: str, rows: np.ndarray, tops: np.ndarray, change: Change | None = None
    ) -> None:
        """Offer `change` of each row, the largest of which is its number of `tops`."""
        if key not in self.edges:
            total = self.samples * rows.shape[1]
            self.edges[key] = EdgeKeeper(int(total * (1.0 - self.percentile / 100.0)) + 1)
        keeper = self.edges[key]
        for row, top in zip(rows, tops):
            if top > keeper.bound:
                keeper.add(row if change is None else change(row))

    # ---- results -----------------------------------------------------------------------------

    def edge(self, key: str) -> float:
        """Interpolated percentile of x ('high'), -x ('low') or |x| ('absolute')."""
        total = self.seen * self.elements
        return interpolate(self.edges[key].largest(), self.percentile, total)

    def mean(self, key: str) -> float:
        """Mean over samples of a per-sample threshold, at most the largest |x|."""
        return min(self.sums[key] / self.seen, self.abs_max)

    def kurtosis(self) -> float:
        """Mean over samples of mean(((x - mean) / (std + 1e-8))**4), as TPU-MLIR's analysis.

        3 for a normal distribution; infinite for a tensor that is constant in a sample.
        """
        return self.sums["kurtosis"] / self.seen


def _kurtosis(row: np.ndarray) -> float:
    wide = row.astype(np.float64)
    spread = float(wide.std())
    if spread == 0.0:
        return math.inf
    return float(np.mean(((wide - wide.mean()) / (spread + 1e-8)) ** 4))
