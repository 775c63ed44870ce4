"""Normalization of floats by TPU-MLIR's own steps, in numpy.

float32 and half: sums are added one after another in float32, r = 1 / sqrt(mean square + eps),
y = ((x - mean) * r) * weight + bias, each step rounded to float32. TPU-MLIR's simulator leaves the
result in float32, whatever its type (`float_exact.rounding_of`).
bfloat16: every step is rounded to bfloat16, but for the running sums.
InstanceNorm in float32 multiplies each term by 1 / n and adds even and odd terms apart; in bfloat16
its 1 / sqrt stays in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import DType, Node
from tpuc.kernels.casts import round_to
from tpuc.numerics.bf16_tables import run_mantissa

__all__ = ["group_norm", "instance_norm", "layer_norm", "rms_norm"]


def _sum(x: np.ndarray) -> np.ndarray:
    """Float32 sum over the last axis, one addition after another; (rows, 1)."""
    return np.add.accumulate(x, axis=-1, dtype=np.float32)[:, -1:]


def _short(x: np.ndarray | np.float32 | float) -> np.ndarray:
    return round_to(np.asarray(x, np.float32), DType.BF16)


def layer_norm(
    node: Node,
    x: np.ndarray,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    *tables: np.ndarray,
) -> np.ndarray:
    """LayerNorm over the axes from `axis` on; `tables` of 1 / sqrt, where it is looked up."""
    axis = node.integer("axis")
    rows = np.ascontiguousarray(x, np.float32).reshape(int(np.prod(x.shape[:axis])), -1)
    weight = None if weight is None else weight.reshape(1, -1)
    bias = None if bias is None else bias.reshape(1, -1)
    eps = np.float32(node.number("eps"))
    if node.output.dtype == DType.BF16:
        return _layer_bf16(rows, weight, bias, eps, tables).reshape(x.shape)
    return _layer_f32(rows, weight, bias, eps).reshape(x.shape)


def _layer_f32(
    x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None, eps: np.float32
) -> np.ndarray:
    size = np.float32(x.shape[1])
    centred = x - _sum(x) / size
    deviation = np.sqrt(_sum(centred * centred) / size + eps)
    out = centred * (np.float32(1.0) / deviation)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _layer_bf16(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    eps: np.float32,
    tables: tuple[np.ndarray, ...],
) -> np.ndarray:
    share = _short(1.0 / x.shape[1])
    centred = _short(x - _short(_sum(x * share)))
    squares = _sum(_short(_short(centred * centred) * share))
    if tables:
        power, mantissa = (t.reshape(-1) for t in tables)
        inverse = run_mantissa(_short(_short(squares) + _short(eps)), power, mantissa)
    else:
        inverse = _inverse_root(squares, eps)
    out = _short(centred * inverse)
    out = out if weight is None else _short(out * weight)
    return out if bias is None else _short(out + bias)


def _inverse_root(square: np.ndarray, eps: np.float32) -> np.ndarray:
    """1 / sqrt(square + eps) in bfloat16 steps."""
    return _short(np.float32(1.0) / _short(np.sqrt(_short(_short(square) + _short(eps)))))


def rms_norm(node: Node, x: np.ndarray, gamma: np.ndarray | None = None) -> np.ndarray:
    """RMSNorm over the last axis."""
    rows = np.ascontiguousarray(x, np.float32).reshape(-1, x.shape[-1])
    eps = np.float32(node.number("eps"))
    if node.output.dtype == DType.BF16:
        share = _short(1.0 / x.shape[-1])
        inverse = _inverse_root(_sum(_short(_short(rows * rows) * share)), eps)
        out = _short(rows * inverse)
        return (out if gamma is None else _short(out * gamma.reshape(1, -1))).reshape(x.shape)
    out = rows / np.sqrt(_sum(rows * rows) / np.float32(x.shape[-1]) + eps)
    return (out if gamma is None else out * gamma.reshape(1, -1)).reshape(x.shape)


def instance_norm(
    node: Node, x: np.ndarray, weight: np.ndarray | None = None, bias: np.ndarray | None = None
) -> np.ndarray:
    """InstanceNorm: each channel of each picture by itself."""
    short = node.output.dtype == DType.BF16
    rows = np.ascontiguousarray(x, np.float32).reshape(x.shape[0] * x.shape[1], -1)
    step = _instance_bf16 if short else _instance_f32
    out = step(rows, np.float32(node.number("eps"))).reshape(x.shape)
    return _by_channel(out, weight, bias, _short if short else np.asarray)


def _instance_f32(x: np.ndarray, eps: np.float32) -> np.ndarray:
    share = np.float32(1.0 / x.shape[1])
    centred = x - _sum_of_halves(x * share)
    square = _sum_of_halves(centred * centred * share) + eps
    return centred * (np.float32(1.0) / np.sqrt(square))


def _sum_of_halves(x: np.ndarray) -> np.ndarray:
    """Sum of the even terms plus the sum of the odd ones."""
    if x.shape[1] == 1:
        return x
    return _sum(x[:, 1::2]) + _sum(x[:, 0::2])


def _instance_bf16(x: np.ndarray, eps: np.float32) -> np.ndarray:
    share = _short(1.0 / x.shape[1])
    centred = _short(x - _short(_sum(x * share)))
    square = _short(_short(_sum(_short(centred * centred) * share)) + _short(eps))
    inverse = (1.0 / np.sqrt(square).astype(np.float64)).astype(np.float32)
    return _short(centred * inverse)


def group_norm(
    node: Node, x: np.ndarray, weight: np.ndarray | None = None, bias: np.ndarray | None = None
) -> np.ndarray | None:
    """GroupNorm: `num_groups` groups of channels of each picture, each by itself."""
    if node.output.dtype == DType.BF16:
        return None
    rows = np.ascontiguousarray(x, np.float32)
    rows = rows.reshape(x.shape[0] * node.integer("num_groups"), -1)
    out = _layer_f32(rows, None, None, np.float32(node.number("eps"))).reshape(x.shape)
    return _by_channel(out, weight, bias, np.asarray)


def _by_channel(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    finish: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """x * weight + bias, one of each a channel (axis 1)."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    x = x if weight is None else finish(x * weight.reshape(shape))
    return x if bias is None else finish(x + bias.reshape(shape))
