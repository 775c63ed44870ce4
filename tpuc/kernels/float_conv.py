"""Float convolution and matrix product with a constant: packing for csrc/float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.ir import DType
from tpuc.kernels import _float
from tpuc.kernels.image import Need
from tpuc.kernels.requant_words import Unfit

__all__ = ["FloatConvSpec", "end_of", "pack_float_conv"]

_LANES = 16
_KINDS = {DType.F32: 0, DType.F16: 1, DType.BF16: 2}


def end_of(dtype: DType, low: float = -np.inf, high: float = np.inf) -> _float.End:
    """Limits, then rounding to `dtype`."""
    return _float.End(low, high, _KINDS[dtype])


@dataclass(frozen=True)
class FloatConvSpec:
    """A two-dimensional convolution.

    Parameters
    ----------
    weights : float32 array of shape (OC, C / group, KH, KW)
    bias : float32 array of shape (OC,)
    end : End
        Limits and type of the result.
    pads : (top, left, bottom, right)
    """

    weights: np.ndarray
    bias: np.ndarray
    end: _float.End
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1


def pack_float_conv(spec: FloatConvSpec) -> tuple[_float.Conv | _float.Depthwise, Need]:
    """The kernel, and what it reads around its input.

    Raises
    ------
    Unfit : the C kernel does not cover the op
    """
    oc, per_in = spec.weights.shape[:2]
    depthwise = spec.group > 1 and per_in == 1 and oc == spec.group
    return (_pack_depthwise if depthwise else _pack_dense)(spec), Need(*spec.pads)


def _pack_depthwise(spec: FloatConvSpec) -> _float.Depthwise:
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
    return _float.Depthwise(fields, np.ascontiguousarray(packed).reshape(-1), bias)


def _taps(spec: FloatConvSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights of shape (OC, taps, run), dy, dx): runs of numbers that a window consists of."""
    oc, per_in, kh, kw = spec.weights.shape
    innermost = spec.weights.transpose(0, 2, 3, 1)
    rows = np.arange(kh, dtype=np.int32) * spec.dilations[0]
    if spec.group == 1 and (spec.dilations[1] == 1 or kw == 1):  # a row of a window is one run
        return innermost.reshape(oc, kh, kw * per_in), rows, np.zeros(kh, np.int32)
    columns = np.arange(kw, dtype=np.int32) * spec.dilations[1]
    dy, dx = np.repeat(rows, kw), np.tile(columns, kh)
    return innermost.reshape(oc, kh * kw, per_in), dy, dx


def _pack_dense(spec: FloatConvSpec) -> _float.Conv:
    """[group][strip][tap][run][block][16 channels]."""
    runs, dy, dx = _taps(spec)
    if len(dy) > _float.MAX_TAPS:
        raise Unfit(f"a window of {len(dy)} runs")
    oc, taps, run = runs.shape
    per_out = oc // spec.group
    blocks = -(-per_out // _LANES)
    wide = np.zeros((spec.group, blocks * _LANES, taps, run), np.float32)
    wide[:, :per_out] = runs.reshape(spec.group, per_out, taps, run)
    wide = wide.reshape(spec.group, blocks, _LANES, taps, run).transpose(0, 3, 4, 1, 2)
    count = -(-blocks // _float.WIDTH)  # strips as even as possible
    strips = np.array([blocks * i // count for i in range(count + 1)], np.int32)
    parts = [wide[:, :, :, a:b].reshape(spec.group, -1) for a, b in zip(strips, strips[1:])]
    bias = np.zeros((spec.group, blocks * _LANES), np.float32)
    bias[:, :per_out] = spec.bias.reshape(spec.group, per_out)
    fields = {
        "groups": spec.group,
        "run": run,
        "in_per_group": spec.weights.shape[1],
        "out_per_group": per_out,
        "strides": spec.strides,
        "origin": spec.pads[:2],
        "end": spec.end,
    }
    packed = np.ascontiguousarray(np.concatenate(parts, axis=1)).reshape(-1)
    return _float.Conv(fields, dy, dx, strips, packed, bias.reshape(-1))
