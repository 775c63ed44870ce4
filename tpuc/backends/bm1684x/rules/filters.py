"""A convolution of one group, its coefficients, and the commands of a tile in local memory.

A lane's coefficients: requantization words, 64 bytes for each row of channels; biases, 4 bytes
each; filters (conv: 64 input channels side by side, zeros behind the last; depthwise: plain).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S32, Element, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, Remote
from tpuc.backends.bm1684x.rules.rule import BYTES
from tpuc.backends.bm1684x.tiling import Axis, Window
from tpuc.ir import Node

__all__ = [
    "Part",
    "Slice",
    "compute",
    "head_bytes",
    "pack",
    "triples_of",
    "why_not_weights",
    "words_of",
]


@dataclass(frozen=True)
class Part:
    """A convolution of one group, or a depthwise one; all of it in global memory."""

    source: Remote
    target: Remote
    batch: int
    channels: int  # of the input
    types: tuple[Element, Element]
    axes: tuple[Axis, Axis]
    window: Window
    filters: np.ndarray  # (O, I, KH, KW), depthwise (C, 1, KH, KW); int8, or uint8 if not depthwise
    words: np.ndarray  # (O, 3): multiplier, -shift, bias
    rounding: int
    relu: bool

    @property
    def is_depthwise(self) -> bool:
        return self.filters.shape[1] == 1 and self.channels == len(self.filters) > 1


def pack(filters: np.ndarray, words: np.ndarray, is_depthwise: bool) -> np.ndarray:
    """(lanes, bytes): the coefficients of some output channels."""
    count, depth, kh, kw = filters.shape
    rows = -(-count // LANES)
    padded = np.zeros((rows * LANES, up(depth) if not is_depthwise else 1, kh * kw), np.int8)
    padded[:count, :depth] = filters.reshape(count, depth, kh * kw).view(np.int8)
    if is_depthwise:
        plain = padded.reshape(rows, LANES, kh * kw)
    else:
        plain = padded.reshape(rows, LANES, -1, 64, kh * kw).transpose(0, 1, 2, 4, 3)
    kernels = plain.reshape(rows, LANES, -1).transpose(1, 0, 2).reshape(LANES, -1)
    every = np.zeros((rows * LANES, 3), np.int64)
    every[:count] = words
    every = every.reshape(rows, LANES, 3).transpose(1, 0, 2)
    head = head_bytes(rows)
    block = np.zeros((LANES, up(head + kernels.shape[1])), np.uint8)
    block[: min(count, LANES), : 64 * rows] = triples_of(words).view(np.uint8)
    biases = np.ascontiguousarray(every[:, :, 2], "<i4").view(np.uint8)
    block[:, 64 * rows : 64 * rows + 4 * rows] = biases
    block[:, head : head + kernels.shape[1]] = kernels.view(np.uint8)
    return block[: min(count, LANES)]


def head_bytes(rows: int) -> int:
    """Bytes of a lane before its filters."""
    return 64 * rows + up(4 * rows)


@dataclass(frozen=True)
class Slice:
    """Output channels of a part whose coefficients lie at `block` in local memory."""

    first: int
    count: int
    block: int


def compute(
    e: Emitter,
    part: Part,
    some: Slice,
    places: tuple[Local, Local, Local],
    pads: tuple[int, int, int, int],
) -> None:
    """Commands of a tile that lies in local memory: input, sums, and what becomes of them."""
    x, sums, y = places
    window = replace(part.window, pads=pads)
    rows = -(-some.count // LANES)
    filters, biases = some.block + head_bytes(rows), some.block + 64 * rows
    if part.is_depthwise:
        tiu.depthwise(e, sums, x, (filters, biases), window)
    else:
        tiu.convolve(e, sums, x, (filters, part.filters.dtype == np.int8), window)
        if part.words[some.first : some.first + some.count, 2].any():
            tiu.add_bias(e, sums, biases)
    if y.element == S32:
        return
    tiu.requantize_channels(e, y, sums, some.block, part.rounding)
    if part.relu and y.element.signed:
        tiu.raise_to_zero(e, y)


def triples_of(words: np.ndarray) -> np.ndarray:
    """(lanes, 16 rows) int32: multiplier and -shift of each channel, 64 bytes for a row of them."""
    rows = -(-len(words) // LANES)
    found = np.zeros((rows * LANES, 16), "<i4")
    found[: len(words), :2] = words[:, :2]
    found = found.reshape(rows, LANES, 16).transpose(1, 0, 2).reshape(LANES, -1)
    return np.ascontiguousarray(found[: min(len(words), LANES)])


def words_of(node: Node, multipliers: np.ndarray, shifts: np.ndarray, count: int) -> np.ndarray:
    """(O, 3): multiplier, -shift, bias of each channel."""
    bias = node.inputs[2].data if len(node.inputs) > 2 and node.inputs[2] is not None else None
    words = np.zeros((count, 3), np.int64)
    words[:, 0], words[:, 1] = multipliers, -shifts
    if bias is not None:
        words[:, 2] = bias.reshape(-1)
    return words


def why_not_weights(node: Node) -> str | None:
    for value in node.inputs[1:]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    filters = node.inputs[1]
    if filters is None or filters.dtype not in BYTES:
        return f"its filter is {None if filters is None else filters.dtype}"
    if filters.quant is not None and filters.quant.zero_point:
        return f"its filter has zero point {filters.quant.zero_point}"
    return None
