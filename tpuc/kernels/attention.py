"""Packs one head of int8 attention for csrc/attention.c, and checks that its sums fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.kernels import _attention  # type: ignore[attr-defined]
from tpuc.kernels.requant_words import Unfit

__all__ = ["pack_attention", "words_of"]

_BLOCK = 16
_Matrix = tuple[np.ndarray, np.ndarray, int, int]


def words_of(multiplier: int, shift: int, most: int = 2**31) -> tuple[int, int]:
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


def _padded(data: np.ndarray, terms: int) -> np.ndarray:
    """int8 (terms, columns) as [block][terms / 4][16 columns][4 terms]."""
    rows = -(-data.shape[0] // terms) * terms
    columns = -(-data.shape[1] // _BLOCK) * _BLOCK
    whole = np.zeros((rows, columns), np.int8)
    whole[: data.shape[0], : data.shape[1]] = data
    parts = whole.reshape(rows // 4, 4, columns // _BLOCK, _BLOCK)
    return np.ascontiguousarray(parts.transpose(2, 0, 3, 1)).reshape(-1)


def _matrix(weights: np.ndarray, bias: np.ndarray | None, terms: int) -> _Matrix:
    """A matrix whose left side is biased bytes; rows are padded to a multiple of `terms`."""
    size, columns = weights.shape
    flat = np.zeros(columns, np.int64) if bias is None else bias.reshape(-1).astype(np.int64)
    if flat.size != columns:
        raise Unfit(f"a bias of {flat.size} numbers for {columns} columns")
    sums = weights.astype(np.int64).sum(0)
    most = 255 * np.abs(weights.astype(np.int64)).sum(0) + np.abs(flat) + 128 * np.abs(sums)
    if most.max() >= 2**31:
        raise Unfit("a sum that may not fit int32")
    whole = np.zeros(-(-columns // _BLOCK) * _BLOCK, np.int32)
    whole[:columns] = flat - 128 * sums
    return _padded(weights, terms), whole, size, columns


def pack_attention(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray | None],
    words: Sequence[tuple[int, int]],
    table: np.ndarray,
    scale: float,
) -> _attention.Attention:
    """The kernel of one head.

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

    Raises
    ------
    Unfit : shapes do not fit together, or a sum may not fit int32
    """
    wq, wk, wv, wo = weights
    if not (wq.shape == wk.shape and wv.shape[0] == wq.shape[0] and wo.shape[0] == wv.shape[1]):
        raise Unfit(f"matrices of shapes {[w.shape for w in weights]}")
    if table.size != 256 or any(w.dtype != np.int8 for w in weights):
        raise Unfit("a table or a matrix of another type")
    parts = [_matrix(w, b, 4) for w, b in zip(weights[:3], biases)]
    parts.append(_matrix(wo, biases[3], _BLOCK))
    flat = np.ascontiguousarray(table.reshape(-1), np.float32)
    return _attention.Attention(parts, [words_of(*w) for w in words], flat, scale)
