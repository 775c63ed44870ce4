"""Convolutions of few channels: taps become channels.

A convolution takes 64 input channels at once; a picture of three leaves most of them empty. Each
channel is sent to several lanes, one for each tap of a column (or of the whole kernel), and a
depthwise filter that is one at its lane's tap and zero elsewhere picks what that tap sees:

    x'[c * F + t] = x[c] moved by tap t        w'[o, c * F + t] = w[o, c, t]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, Element, Local, Shape, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote
from tpuc.backends.bm1684x.tiling import Window

__all__ = ["Fold", "best_fold", "fold", "one_hot", "same_fold"]

_TAPS = 64  # of a lane's depthwise filter


@dataclass(frozen=True)
class Fold:
    """Which taps become channels.

    Parameters
    ----------
    picks : Window
        Of the depthwise filter.
    rest : Window
        Of the convolution that is left.
    shape : (N, C, H, W)
        Of what that convolution reads.
    """

    picks: Window
    rest: Window
    shape: Shape

    @property
    def taps(self) -> int:
        return self.picks.kernel[0] * self.picks.kernel[1]


def best_fold(window: Window, before: Shape, after: Shape) -> Fold | None:
    """The fold that takes the fewest cycles; None if the plain convolution does."""
    best, cost = None, _steps(window, before, after)
    for candidate in _folds(window, before, after):
        taps, picked = candidate.taps, candidate.shape
        slow = 3 if candidate.picks.strides[1] > 1 else 1
        steps = taps * slow * -(-picked[2] * picked[3] // 64)
        steps += _steps(candidate.rest, picked, after)
        if picked[1] <= LANES and taps <= _TAPS and steps < cost:
            best, cost = candidate, steps
    return best


def same_fold(how: Fold, window: Window, before: Shape, after: Shape) -> Fold:
    """The fold that makes channels of the same taps, of another picture."""
    found = _folds(window, before, after)
    return next(f for f in found if f.picks.kernel == how.picks.kernel)


def _steps(window: Window, before: Shape, after: Shape) -> int:
    depth = -(-before[1] // LANES) * window.kernel[0] * window.kernel[1]
    return -(-after[1] // LANES) * depth * -(-after[2] * after[3] // 4)


def _folds(window: Window, before: Shape, after: Shape) -> Iterator[Fold]:
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    top, left, bottom, right = window.pads
    column = Window((kh, 1), (sh, 1), (dh, 1), (top, 0, bottom, 0))
    row = Window((1, kw), (1, sw), (1, dw), (0, left, 0, right))
    yield Fold(column, row, (1, before[1] * kh, after[2], before[3]))
    yield Fold(window, Window((1, 1)), (1, before[1] * kh * kw, *after[2:]))


def one_hot(fold: Fold, channels: int, lanes: int) -> np.ndarray:
    """(lanes, bytes): the filter of each lane."""
    found = np.zeros((max(lanes, channels * fold.taps), up(fold.taps)), np.uint8)
    for lane in range(channels * fold.taps):
        found[lane, lane % fold.taps] = 1
    return found


def fold(e: Emitter, source: Remote, element: Element, at: tuple[Fold, Shape, int]) -> Local:
    """The picture with taps as channels; `at`: fold, shape of the picture, address of filters."""
    how, before, filters = at
    lanes = before[1] * how.taps
    wide = e.take((1, lanes, *before[2:]), element)
    for channel in range(before[1]):
        one = source.at((0, channel, 0, 0), element)
        e.spread(one, replace(wide, shape=(1, how.taps, *before[2:])), channel * how.taps)
    picked = e.take(how.shape, element)
    tiu.pick(e, picked, wide, filters, how.picks)
    return picked
