"""Float convolution and matrix product with a constant: packing for csrc/float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.ir import DType
from tpuc.kernels import _float
from tpuc.kernels._float_products import MAX_TAPS, WIDTH, Conv, Depthwise
from tpuc.kernels.casts import cast_rounding, cuts
from tpuc.kernels.float_order import SumOrder
from tpuc.kernels.image import Need
from tpuc.kernels.requant_words import Unfit

__all__ = ["FloatConvSpec", "cast_end", "end_of", "kind_of", "pack_float_conv"]

_LANES = 16
_KINDS = {DType.F32: 0, DType.F16: 1, DType.BF16: 2}
_CUT = 3
"""BF16 by cutting float32."""


def kind_of(dtype: DType) -> int:
    """Number of a float type in csrc/float/end.h."""
    return _KINDS[dtype]


def end_of(dtype: DType, low: float = -np.inf, high: float = np.inf) -> _float.End:
    """Limits, then rounding to `dtype`."""
    return _float.End(low, high, _KINDS[dtype])


def cast_end(source: DType, target: DType, short: bool) -> _float.End:
    """What a cast between floats does; `short`: as `kernels.casts.cast`."""
    if cuts(source, target, short):
        return _float.End(-np.inf, np.inf, _CUT)
    return end_of(cast_rounding(source, target))


@dataclass(frozen=True)
class FloatConvSpec:
    """A two-dimensional convolution.

    Parameters
    ----------
    weights : float32 array of shape (OC, C / group, KH, KW)
    bias : float32 array of shape (OC,)
    end : End
        Limits and type of the result.
    order : SumOrder
        Of the products (channel, row, column) of one output.
    pads : (top, left, bottom, right)
    """

    weights: np.ndarray
    bias: np.ndarray
    end: _float.End
    order: SumOrder
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1


def pack_float_conv(spec: FloatConvSpec) -> tuple[Conv | Depthwise, Need]:
    """The kernel, and what it reads around its input.

    Raises
    ------
    Unfit : the C kernel does not cover the op
    """
    oc, per_in = spec.weights.shape[:2]
    depthwise = spec.group > 1 and per_in == 1 and oc == spec.group
    one_chain = len(spec.order.chunks) == spec.order.lanes == 1
    pack = _pack_depthwise if depthwise and one_chain else _pack_dense
    return pack(spec), Need(*spec.pads)


def _pack_depthwise(spec: FloatConvSpec) -> Depthwise:
    """[block][row][column][16 channels]."""
    channels, _, kh, kw = spec.weights.shape
    blocks = -(-channels // _LANES)
    packed = np.zeros((blocks * _LANES, kh, kw), np.float32)
    packed[:channels] = spec.weights[:, 0]
    packed = packed.reshape(blocks, _LANES, kh, kw).transpose(0, 2, 3, 1)
    bias = np.zeros(blocks * _LANES, np.float32)
    bias[:channels] = spec.bias
    fields = {
        "channels": channels,
        "window": (kh, kw),
        "strides": spec.strides,
        "dilations": spec.dilations,
        "origin": spec.pads[:2],
        "end": spec.end,
    }
    return Depthwise(fields, np.ascontiguousarray(packed).reshape(-1), bias)


def _pack_dense(spec: FloatConvSpec) -> Conv:
    """[group][strip][channel][row][column][block][16 channels]."""
    oc, per_in, kh, kw = spec.weights.shape
    if kh * kw > MAX_TAPS:
        raise Unfit(f"a window of {kh} x {kw}")
    per_out, terms = oc // spec.group, per_in * kh * kw
    blocks = -(-per_out // _LANES)
    wide = np.zeros((spec.group, blocks * _LANES, terms), np.float32)
    wide[:, :per_out] = spec.weights.reshape(spec.group, per_out, terms)
    wide = wide.reshape(spec.group, blocks, _LANES, terms).transpose(0, 3, 1, 2)
    count = -(-blocks // WIDTH)  # strips as even as possible
    strips = np.array([blocks * i // count for i in range(count + 1)], np.int32)
    parts = [wide[:, :, a:b].reshape(spec.group, -1) for a, b in zip(strips, strips[1:])]
    bias = np.zeros((spec.group, blocks * _LANES), np.float32)
    bias[:, :per_out] = spec.bias.reshape(spec.group, per_out)
    fields = {
        "groups": spec.group,
        "lanes": spec.order.lanes,
        "in_per_group": per_in,
        "out_per_group": per_out,
        "strides": spec.strides,
        "origin": spec.pads[:2],
        "skips": kh == kw == spec.order.lanes == 1 and _skips(spec),
        "end": spec.end,
    }
    rows = np.repeat(np.arange(kh) * spec.dilations[0], kw)
    taps = np.array([rows, np.tile(np.arange(kw) * spec.dilations[1], kh)], np.int32)
    packed = _aligned(np.concatenate(parts, axis=1).reshape(-1))
    chunks = np.cumsum(spec.order.chunks).astype(np.int32)
    return Conv(fields, taps, chunks, strips, packed, bias.reshape(-1))


def _skips(spec: FloatConvSpec) -> bool:
    """Whether leaving out zeros can not show: csrc/float/sparse.h."""
    negative_zero = (spec.bias == 0) & np.signbit(spec.bias)
    return bool(np.isfinite(spec.weights).all()) and not negative_zero.any()


def _aligned(array: np.ndarray) -> np.ndarray:
    """The numbers, where no register's load meets two lines of the cache."""
    room = np.empty(array.size + _LANES, np.float32)
    start = -room.ctypes.data % 64 // 4
    room[start : start + array.size] = array
    return room[start : start + array.size]
