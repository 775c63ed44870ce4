"""int8 convolution and matrix product with a constant: checks and packing for csrc/conv.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.kernels import _int8
from tpuc.kernels.image import Need, pixel_bytes
from tpuc.kernels.requant_words import BLOCK, Rounding, Unfit, pack_requant

__all__ = ["ConvSpec", "pack_conv", "split_unsigned"]


@dataclass(frozen=True)
class ConvSpec:
    """A two-dimensional convolution with requantization.

    Parameters
    ----------
    weights : int8 or uint8 array of shape (OC, C / group, KH, KW)
    bias : int64 array of shape (OC,)
    multiplier, rshift : int64 arrays of shape (OC,)
    pads : (top, left, bottom, right)
    zero_in, zero_out : int
        Zero bytes of the images.
    rounding : Rounding
        How the product is shifted.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    rshift: np.ndarray
    zero_in: int
    zero_out: int
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1
    relu: bool = False
    rounding: Rounding = Rounding.UP

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return int(self.weights.shape[1]) * self.group

    @property
    def low(self) -> int:
        """Smallest byte of the output."""
        return self.zero_out if self.relu else 0

    def requant(self, groups: int) -> np.ndarray:
        """Packed words; the zero byte of the input moves into the bias."""
        w = self.weights.reshape(self.weights.shape[0], -1)
        total = w.sum(1, dtype=np.int64)
        positive = np.maximum(w, 0).sum(1, dtype=np.int64)
        sums = 255 * (total - positive), 255 * positive
        bias = self.bias.astype(np.int64) - self.zero_in * total
        shape = (groups, -1)
        factors = self.multiplier.reshape(shape), self.rshift.reshape(shape)
        ends = sums[0].reshape(shape), sums[1].reshape(shape)
        return pack_requant(factors, bias.reshape(shape), ends, self.zero_out, self.rounding)


def split_unsigned(weights: np.ndarray) -> list[np.ndarray]:
    """Weights as a sum of int8 arrays: one for int8, up to three for uint8."""
    if weights.dtype == np.int8:
        return [weights]
    rest = weights.astype(np.int64)
    parts: list[np.ndarray] = []
    while rest.any() or not parts:
        parts.append(np.minimum(rest, 127).astype(np.int8))
        rest = rest - parts[-1]
    return parts


def _taps(spec: ConvSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights of shape (taps, OC, run), dy, dx): runs of bytes that a window consists of."""
    oc, per_in, kh, kw = spec.weights.shape
    pixel = pixel_bytes(spec.channels)
    rows = spec.group == 1 and spec.dilations[1] == 1 and pixel - per_in < 4
    weights: list[np.ndarray] = []
    dy: list[int] = []
    dx: list[int] = []
    for part in split_unsigned(spec.weights):
        padded = np.zeros((kh, kw, oc, -(-per_in // 4) * 4), np.int8)
        padded[..., :per_in] = part.transpose(2, 3, 0, 1)
        if rows:  # a whole row of the window is one run
            weights.append(padded.transpose(0, 2, 1, 3).reshape(kh, oc, -1))
            dy += [i * spec.dilations[0] for i in range(kh)]
            dx += [0] * kh
        else:
            weights.append(padded.reshape(kh * kw, oc, -1))
            dy += [i * spec.dilations[0] for i in range(kh) for _ in range(kw)]
            dx += [j * spec.dilations[1] for _ in range(kh) for j in range(kw)]
    return np.concatenate(weights), np.array(dy, np.int32), np.array(dx, np.int32)


def _strips(blocks: int) -> list[tuple[int, int]]:
    """(first, width): blocks of 16 channels in runs of at most 4, as even as possible."""
    count = -(-blocks // 4)
    edges = [blocks * i // count for i in range(count + 1)]
    return [(a, b - a) for a, b in zip(edges, edges[1:])]


def pack_conv(spec: ConvSpec) -> tuple[_int8.Conv, Need]:
    """The kernel, and what it reads around its input.

    Raises
    ------
    Unfit : the C kernel does not cover the op
    """
    runs, dy, dx = _taps(spec)
    if len(dy) > _int8.MAX_TAPS:
        raise Unfit(f"a window of {len(dy)} runs")
    taps, oc, run = runs.shape
    per_out = oc // spec.group
    blocks = -(-per_out // BLOCK)
    wide = np.zeros((spec.group, blocks * BLOCK, taps, run), np.int8)
    wide[:, :per_out] = runs.transpose(1, 0, 2).reshape(spec.group, per_out, taps, run)
    wide = wide.reshape(spec.group, blocks, BLOCK, taps, run // 4, 4).transpose(0, 3, 4, 1, 2, 5)
    parts: list[np.ndarray] = []
    table: list[tuple[int, int, int]] = []
    offset = 0
    for first, width in _strips(blocks):
        part = wide[:, :, :, first : first + width].reshape(spec.group, -1)
        parts.append(part)
        table.append((first, width, offset))
        offset += part.shape[1]
    fields = {
        "groups": spec.group,
        "k4": run // 4,
        "in_per_group": spec.channels // spec.group,
        "out_per_group": per_out,
        "strides": spec.strides,
        "origin": spec.pads[:2],
        "low": spec.low,
        "rounding": spec.rounding,
        "group_weights": offset,
    }
    packed = np.ascontiguousarray(np.concatenate(parts, axis=1)).reshape(-1)
    words = spec.requant(spec.group)
    kernel = _int8.Conv(fields, dy, dx, np.array(table, np.int64), packed, words)
    return kernel, Need(*spec.pads, slack=4)
