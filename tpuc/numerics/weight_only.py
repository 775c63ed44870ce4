"""Weights of 8 or 4 bits that share a scale in groups, beside float activations.

With q = 2**bits - 1 and the least and greatest weight of a group (symmetric: -max|w|, max|w|):

    scale = float32((greatest - least) / q)
    zero  = saturate(round(-least / scale)),  0 .. q
    w_q   = saturate(round(w / scale) + zero),  0 .. q

8 bits and no groups, but one scale an output: scale = max|w| / 127, zero = 0, w_q from -128 to 127.
A weight is (w_q - zero) * s, s being the scale rounded to the float type. Of 8-bit weights that
product is rounded to the float type again, of 4-bit ones it is not. All as in TPU-MLIR 1.30.2.
"""

from __future__ import annotations

import numpy as np

from tpuc.numerics.rounding import round_away

__all__ = ["quantize_groups", "weights_of"]


def quantize_groups(
    weight: np.ndarray, bits: int, size: int, symmetric: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integers, scales and zero points of a weight.

    Parameters
    ----------
    weight : float32 (outputs, terms)
    bits : 8 or 4
    size : int
        Terms of a group; divides `terms`. 0: all of them.

    Returns
    -------
    quantized : int64 (outputs, terms)
    scales : float32 (outputs, groups), not rounded further
    zeros : int64 of the same shape
    """
    groups = weight.reshape(len(weight), -1, size or weight.shape[1])
    most = np.abs(groups).max(-1)
    if bits == 8 and not size:
        scales = _nonzero(most / np.float32(127))
        quantized = np.clip(round_away(groups / scales[..., None]), -128, 127)
        zeros = np.zeros(scales.shape, np.int64)
    else:
        top = (1 << bits) - 1
        low, high = (-most, most) if symmetric else (groups.min(-1), groups.max(-1))
        scales = _nonzero((high - low) / np.float32(top))
        zeros = np.clip(round_away(-low / scales), 0, top)
        quantized = np.clip(round_away(groups / scales[..., None]) + zeros[..., None], 0, top)
    return quantized.reshape(weight.shape).astype(np.int64), scales, zeros.astype(np.int64)


def _nonzero(scales: np.ndarray) -> np.ndarray:
    """Groups of one and the same weight need some scale."""
    return np.where(scales > 0, scales, 1).astype(np.float32)


def weights_of(quantized: np.ndarray, scales: np.ndarray, zeros: np.ndarray) -> np.ndarray:
    """float32 (w_q - zero) * scale, shape (outputs, terms), before 8-bit ones are rounded."""
    groups = quantized.reshape(*scales.shape, -1).astype(np.float32)
    real = (groups - zeros[..., None].astype(np.float32)) * scales[..., None]
    return real.reshape(quantized.shape)
