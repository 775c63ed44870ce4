"""Heads of int8 attention: one product for every q, k and v, what the heads mix, one product.

Packs for csrc/conv.c and csrc/attention.c, and checks that sums fit. All work on rows of bytes, a
pixel for each token: those of x; of q, k, v head by head; of what is mixed; of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.kernels import _attention, _int8  # type: ignore[attr-defined]
from tpuc.kernels._int8 import View
from tpuc.kernels.conv import ConvSpec, pack_conv
from tpuc.kernels.image import Layout, Need
from tpuc.kernels.requant_words import Rounding, Unfit

__all__ = ["AttentionKernel", "HeadSpec", "Rows", "pack_attention", "words_of"]

_BLOCK = 16
_SIGNED = 128
"""Zero byte of every row."""

Words = tuple[int, int]
Rows = tuple[View, ...]
"""Memory of a run: rows of x, of q, k, v, of what is mixed and, if it is bytes, of the result."""


def words_of(multiplier: int, shift: int, most: int = 2**31) -> Words:
    """Multiplier and shift, checked.

    Parameters
    ----------
    most : int
        Largest sum.

    Raises
    ------
    Unfit : a product may not fit int64, or not fit int32 after the shift
    """
    fits = 0 < shift < 63 and abs(multiplier) < 2**31
    if not fits or (most * abs(multiplier) >> shift) >= 2**31 - 1:
        raise Unfit(f"a multiplier of {multiplier} with a shift of {shift}")
    return multiplier, shift


@dataclass(frozen=True, eq=False)
class HeadSpec:
    """One head.

    Parameters
    ----------
    weights : four int8 arrays
        Of q, k, v: (terms, columns); of the output: (columns of v, terms).
    biases : four int32 arrays or None
    words : five (multiplier, shift)
        Of q, k, v, the scores, and the sum of values.
    table : float32 (256,)
    scale : float
        Of the shares.
    zero : int
        Zero byte of x: 128, or 0 if it is unsigned.

    Raises
    ------
    Unfit : shapes do not fit together, or a sum may not fit int32
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]
    words: tuple[Words, ...]
    table: np.ndarray
    scale: float
    zero: int = _SIGNED

    def __post_init__(self) -> None:
        wq, wk, wv, wo = self.weights
        fits = wq.shape == wk.shape and wv.shape[0] == wq.shape[0] and wo.shape[0] == wv.shape[1]
        if not fits:
            raise Unfit(f"matrices of shapes {[w.shape for w in self.weights]}")
        if self.table.size != 256 or any(w.dtype != np.int8 for w in self.weights):
            raise Unfit("a table or a matrix of another type")
        for words in self.words:
            words_of(*words)

    @property
    def terms(self) -> int:
        """Width of x."""
        return int(self.weights[0].shape[0])

    @property
    def columns(self) -> int:
        """Width of the result."""
        return int(self.weights[3].shape[1])

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of a token's q, and of its v."""
        return int(self.weights[0].shape[1]), int(self.weights[2].shape[1])

    def bias(self, index: int) -> np.ndarray:
        """int64 bias of matrix `index`."""
        columns, value = self.weights[index].shape[1], self.biases[index]
        if value is not None and value.size != columns:
            raise Unfit(f"a bias of {value.size} numbers for {columns} columns")
        return np.zeros(columns, np.int64) if value is None else value.reshape(-1).astype(np.int64)


@dataclass(frozen=True)
class AttentionKernel:
    """The sum of some heads.

    Parameters
    ----------
    project, finish : kernels of the products around `mixer`
    widths : numbers in a row of each of `Rows`
    need : what `project` and `finish` read behind their rows
    zero : zero byte of x
    """

    project: _int8.Conv
    mixer: _attention.Mixer
    finish: _int8.Conv | _attention.Sums
    widths: tuple[int, ...]
    need: Need
    zero: int = _SIGNED

    def rows(self, count: int) -> Rows:
        """Rows for so many tokens."""
        zeros = (self.zero, *(_SIGNED,) * len(self.widths))
        layouts = [Layout((count, w, 1, 1), self.need, z) for w, z in zip(self.widths, zeros)]
        return tuple(la.view(np.zeros(la.size, np.uint8), 0) for la in layouts)

    def mix(self, rows: Rows, mask: np.ndarray | None, batch: int, threads: int) -> None:
        """Everything from x to what is mixed; mask: int32 (1 or batch, tokens), or None."""
        self.project.run(rows[0], rows[1], threads)
        self.mixer.run(rows[1], rows[2], mask, batch, threads)


def _dense(
    weights: np.ndarray,
    bias: np.ndarray,
    words: tuple[np.ndarray, np.ndarray],
    zero: int = _SIGNED,
) -> tuple[_int8.Conv, Need]:
    """Rows times (terms, columns), to signed bytes."""
    filters = np.ascontiguousarray(weights.T)[:, :, None, None]
    spec = ConvSpec(filters, bias, *words, zero, _SIGNED, rounding=Rounding.AWAY)
    return pack_conv(spec)


def _project(heads: Sequence[HeadSpec]) -> tuple[_int8.Conv, Need]:
    """q, k and v of all heads as one product."""
    parts = [(head, index) for head in heads for index in range(3)]
    columns = [head.weights[index].shape[1] for head, index in parts]
    words = np.array([head.words[index] for head, index in parts], np.int64)
    weights = np.concatenate([head.weights[index] for head, index in parts], axis=1)
    bias = np.concatenate([head.bias(index) for head, index in parts])
    wide = np.repeat(words[:, 0], columns), np.repeat(words[:, 1], columns)
    return _dense(weights, bias, wide, heads[0].zero)


def _mixer(heads: Sequence[HeadSpec]) -> tuple[_attention.Mixer, int, int]:
    """The kernel, and the widths of the rows that it reads and writes."""
    found, at, mixed = [], 0, 0
    for head in heads:
        width, depth = head.sizes
        places = at, at + width, at + 2 * width, mixed
        table = np.ascontiguousarray(head.table.reshape(-1), np.float32)
        found.append((width, depth, places, head.words[3], head.words[4], table, head.scale))
        at, mixed = at + 2 * width + depth, mixed + depth
    return _attention.Mixer(found), at, mixed


def _sums(weights: np.ndarray, bias: np.ndarray) -> _attention.Sums:
    """Rows times (terms, columns), to int32; [block][terms / 4][16 columns][4 terms]."""
    terms, columns = weights.shape
    rows, wide = -(-terms // 4) * 4, -(-columns // _BLOCK) * _BLOCK
    whole = np.zeros((rows, wide), np.int8)
    whole[:terms, :columns] = weights
    parts = whole.reshape(rows // 4, 4, wide // _BLOCK, _BLOCK).transpose(2, 0, 3, 1)
    flat = np.zeros(wide, np.int32)
    flat[:columns] = bias - _SIGNED * weights.sum(0, dtype=np.int64)
    return _attention.Sums(np.ascontiguousarray(parts).reshape(-1), flat, terms, columns)


def pack_attention(heads: Sequence[HeadSpec], words: Words | None = None) -> AttentionKernel:
    """The sum of heads of one x; to bytes, requantized by `words`, or to int32.

    Raises
    ------
    Unfit : heads of different widths; or a sum may not fit int32
    """
    if len({(head.terms, head.columns, head.zero) for head in heads}) > 1:
        raise Unfit("heads of different widths")
    weights = np.concatenate([head.weights[3] for head in heads])
    biases = [head.bias(3) for head in heads]
    most = 255 * np.abs(weights.astype(np.int64)).sum(0) + sum(np.abs(b) for b in biases)
    if most.max() >= 2**31:  # 255: biased bytes, before the bias takes 128 off
        raise Unfit("a sum that may not fit int32")
    project, need = _project(heads)
    mixer, parts, mixed = _mixer(heads)
    bias, columns = np.sum(biases, axis=0), heads[0].columns
    if words is None:
        sums = _sums(weights, bias)
        widths = (heads[0].terms, parts, mixed)
        return AttentionKernel(project, mixer, sums, widths, need, heads[0].zero)
    factors = np.full(columns, words[0], np.int64), np.full(columns, words[1], np.int64)
    finish, more = _dense(weights, bias, factors)
    return AttentionKernel(
        project, mixer, finish, (heads[0].terms, parts, mixed, columns), need.merge(more)
    )
