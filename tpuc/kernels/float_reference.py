"""Float convolution and matmul with an exactly given order of summation, in numpy: slow, obvious.

fma(a, b, c) = float32(a * b + c), rounded once. In float64 the product of two float32 is exact and
the sum is rounded to odd, which makes the second rounding, to float32, the only one that counts
(S. Boldo, G. Melquiond: Emulation of FMA and correctly rounded sums, IEEE Trans. Computers, 2008).

The order is described by `float_order.SumOrder`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.kernels.float_order import SumOrder, conv_order, deconv_order, matmul_order

__all__ = [
    "conv_in_order",
    "deconv_in_order",
    "fused_multiply_add",
    "matmul_in_order",
    "product_in_order",
]

_BELOW_FLOAT32 = (1 << 29) - 1
"""Bits of a float64 that a normal float32 does not have."""
_HALF = 1 << 28
_NORMAL = 2.0**-126


def fused_multiply_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """float32 a * b + c with one rounding, nearest even; finite operands.

    Parameters
    ----------
    a, b, c : float32, shapes that broadcast.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = np.asarray(product + c)
    # Rounded to odd where the second rounding could see a tie; elsewhere that changes nothing.
    ties = (total.view(np.int64) & _BELOW_FLOAT32) == _HALF
    at = np.nonzero(ties | ((np.abs(total) < _NORMAL) & (total != 0)))
    if at[0].size:
        total[at] = _to_odd(total[at], product[at], np.broadcast_to(c, total.shape)[at])
    return total.astype(np.float32)


def _to_odd(total: np.ndarray, product: np.ndarray, addend: np.ndarray) -> np.ndarray:
    """product + addend, rounded to odd, given the sum rounded to nearest."""
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64)
    towards = np.where((error > 0) == (total > 0), 1, -1)
    odd = bits + np.where((error != 0) & (bits & 1 == 0), towards, 0)
    return odd.view(np.float64)


def product_in_order(left: np.ndarray, right: np.ndarray, order: SumOrder) -> np.ndarray:
    """left[m, k] @ right[k, n] in float32, added in the given order; float32 (m, n)."""
    if order.lanes == 8:
        return _in_lanes(left, right)
    total, start = None, 0
    for length in order.chunks:
        part = _chain(left[:, start : start + length], right[start : start + length])
        total, start = part if total is None else total + part, start + length
    assert total is not None and start == left.shape[1]
    return total


def _chain(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    total = np.zeros((len(left), right.shape[1]), np.float32)
    for k in range(left.shape[1]):
        total = fused_multiply_add(left[:, k, None], right[None, k], total)
    return total


def _in_lanes(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Runs of the reduction: all whole blocks of 16, then 8, 4, 2 and 1 of what is left."""
    k = left.shape[1]
    whole = k // 16 * 16
    runs = [whole] + [size for size in (8, 4, 2, 1) if k % 16 & size]
    total, start = np.zeros((len(left), right.shape[1]), np.float32), 0
    for length in runs:
        lanes = np.zeros((8, *total.shape), np.float32)
        for t in range(start, start + length):
            lane = (t - start) % 8
            lanes[lane] = fused_multiply_add(left[:, t, None], right[None, t], lanes[lane])
        pairs = lanes[0::2] + lanes[1::2]
        total = total + ((pairs[0] + pairs[2]) + (pairs[1] + pairs[3]))
        start += length
    return total


def matmul_in_order(left: np.ndarray, right: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """MatMul of (..., m, k) and (..., k, n) plus bias (n,), float32, before limits and rounding."""
    order = matmul_order(left.shape[-1])
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    lefts = np.broadcast_to(left, (*batch, *left.shape[-2:])).reshape(-1, *left.shape[-2:])
    rights = np.broadcast_to(right, (*batch, *right.shape[-2:])).reshape(-1, *right.shape[-2:])
    products = [product_in_order(a, b, order) for a, b in zip(lefts, rights, strict=True)]
    total = np.stack(products).reshape(*batch, left.shape[-2], right.shape[-1])
    return total if bias is None else total + bias


def conv_in_order(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: tuple[Sequence[int], Sequence[int], Sequence[int]],
    group: int = 1,
) -> np.ndarray:
    """Convolution in float32, before limits and rounding; float32 (n, outputs, oh, ow).

    Parameters
    ----------
    x : float32 (n, inputs, h, w).
    weight : float32 (outputs, inputs / group, kh, kw).
    bias : float32 (outputs,) or None.
    window : strides (2), pads (top, left, bottom, right), dilations (2).
    """
    columns, pixels = _columns(x, weight.shape[2:], window)
    outputs, depth, ky, kx = weight.shape
    order = conv_order(x.shape[1], outputs, (ky, kx), pixels[0] * pixels[1], len(x), group)
    wide = outputs // group
    out = np.empty((len(x), outputs, pixels[0] * pixels[1]), np.float32)
    for image in range(len(x)):
        for g in range(group):
            right = columns[image, g * depth : (g + 1) * depth].reshape(depth * ky * kx, -1)
            left = weight[g * wide : (g + 1) * wide].reshape(wide, -1)
            out[image, g * wide : (g + 1) * wide] = product_in_order(left, right, order)
    if bias is not None:
        out = out + bias[None, :, None]
    return out.reshape(len(x), outputs, *pixels)


def _columns(
    x: np.ndarray,
    kernel: Sequence[int],
    window: tuple[Sequence[int], Sequence[int], Sequence[int]],
) -> tuple[np.ndarray, tuple[int, int]]:
    """Operands of each output: (n, inputs, ky * kx, pixels), and the output's (height, width)."""
    strides, pads, dilations = window
    padded = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, tuple(reach), axis=(2, 3))
    taken = windows[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    n, c, oh, ow, ky, kx = taken.shape
    return taken.transpose(0, 1, 4, 5, 2, 3).reshape(n, c, ky * kx, oh * ow), (oh, ow)


def deconv_in_order(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: tuple[Sequence[int], Sequence[int], Sequence[int]],
    size: tuple[int, int],
) -> np.ndarray:
    """Deconvolution of one group in float32, before limits and rounding.

    out[o, y] = sum of x[c, i] * weight[o, c, k] over stride * i + dilation * k - pad = y, in rows
    and columns.

    Parameters
    ----------
    x : float32 (n, inputs, h, w).
    weight : float32 (outputs, inputs, kh, kw).
    bias : float32 (outputs,) or None.
    window : strides (2), pads (top, left, ...), dilations (2).
    size : height and width of the result.
    """
    outputs, inputs, ky, kx = weight.shape
    taken = _spread(x, (ky, kx), window, size)
    order = deconv_order(inputs, (ky, kx))
    starts = range(0, inputs, 16)
    blocks = [weight[:, s : s + 16].transpose(0, 2, 3, 1).reshape(outputs, -1) for s in starts]
    left = np.concatenate(blocks, axis=1)
    out = np.empty((len(x), outputs, size[0] * size[1]), np.float32)
    for image, parts in zip(out, taken):
        right = [parts[:, s : s + 16].reshape(-1, size[0] * size[1]) for s in starts]
        image[:] = product_in_order(left, np.concatenate(right), order)
    if bias is not None:
        out = out + bias[None, :, None]
    return out.reshape(len(x), outputs, *size)


def _spread(
    x: np.ndarray,
    kernel: tuple[int, int],
    window: tuple[Sequence[int], Sequence[int], Sequence[int]],
    size: tuple[int, int],
) -> np.ndarray:
    """Inputs that each tap brings to each output, 0 where none: (n, taps, inputs, h, w)."""
    strides, pads, dilations = window
    found = np.zeros((len(x), kernel[0] * kernel[1], x.shape[1], *size), np.float32)
    for tap in range(kernel[0] * kernel[1]):
        at = tap // kernel[1] * dilations[0] - pads[0], tap % kernel[1] * dilations[1] - pads[1]
        rows = np.arange(x.shape[2]) * strides[0] + at[0]
        columns = np.arange(x.shape[3]) * strides[1] + at[1]
        in_rows, in_columns = (
            (v >= 0) & (v < s) for v, s in zip((rows, columns), size, strict=True)
        )
        target = np.ix_(rows[in_rows], columns[in_columns])
        found[:, tap, :, target[0], target[1]] = x[:, :, in_rows][..., in_columns].transpose(
            2, 3, 0, 1
        )
    return found
