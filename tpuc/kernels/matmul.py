"""int8 products of computed matrices: checks and preparation for csrc/matmul.c."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.kernels import _matmul  # type: ignore[attr-defined]
from tpuc.kernels.requant_words import Rounding, pack_requant

__all__ = ["ProductSpec", "products"]

_SLOTS = 16
_ROWS = 64
"""Rows that pay for packing the right matrix once more."""


@dataclass(frozen=True)
class ProductSpec:
    """y = saturate(sum * multiplier >> rshift), halves away from zero.

    Parameters
    ----------
    zeros : (left, right, out)
        Zero bytes of the images: 128 for signed tensors, 0 for unsigned ones.
    terms : int
        Of each sum.
    """

    multiplier: int
    rshift: int
    zeros: tuple[int, int, int]
    terms: int
    relu: bool

    def words(self) -> tuple[int, int, int]:
        """(multiplier, rounding, rshift) as csrc/requant.h wants them.

        Raises
        ------
        Unfit : a sum or a result may not fit
        """
        most = np.full((1, 1), 255 * 255 * self.terms, np.int64)
        factors = np.full((1, 1), self.multiplier), np.full((1, 1), self.rshift)
        none = np.zeros((1, 1), np.int64)
        packed = pack_requant(factors, none, (-most, most), self.zeros[2], Rounding.AWAY)
        m, _, rounding, shift = (int(w) for w in packed.reshape(4, -1)[:, 0])
        return m, rounding, shift


def products(
    spec: ProductSpec, left: np.ndarray, right: np.ndarray, out: np.ndarray
) -> _matmul.Products:
    """The products of some matrices that lie in images.

    Parameters
    ----------
    left, right, out : uint8 arrays of shapes (..., M, K), (..., K, N), (..., M, N)
        Stored bytes; leading dimensions broadcast to those of `out`.

    Raises
    ------
    Unfit : as `ProductSpec.words`
    """
    lead = out.shape[:-2]
    left = np.broadcast_to(left, (*lead, *left.shape[-2:]))
    right = np.broadcast_to(right, (*lead, *right.shape[-2:])).swapaxes(-1, -2)
    zeros = spec.zeros[:2]
    if zeros == (128, 0):  # the left side may be unsigned, the right one not without more work
        left, right, out, zeros = right, left, out.swapaxes(-1, -2), (0, 128)
    count = int(np.prod(lead))
    pieces = 1 if count >= 8 else max(1, min(8 // count, left.shape[-2] // _ROWS))
    fields = {
        "zeros": zeros,
        "parts": 1 if zeros[1] else _matmul.PARTS,
        "low": spec.zeros[2] if spec.relu else 0,
        "requant": spec.words(),
        "pieces": pieces,
        "slots": min(_SLOTS, count * pieces),
    }
    places = np.stack([_offsets(a) for a in (left, right, out)])
    return _matmul.Products(left, right, out, places, fields)


def _offsets(array: np.ndarray) -> np.ndarray:
    """Where each matrix begins, in bytes."""
    lead = array.shape[:-2]
    grid: tuple[np.ndarray, ...] = np.indices(lead, np.int64, sparse=True) if lead else ()
    steps = (g * s for g, s in zip(grid, array.strides))
    return np.broadcast_to(sum(steps, np.zeros((), np.int64)), lead).reshape(-1)
