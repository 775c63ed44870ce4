"""Depthwise int8 convolution: checks and packing for csrc/depthwise.c."""

from __future__ import annotations

import numpy as np

from tpuc.kernels import _int8
from tpuc.kernels.conv import ConvSpec, split_unsigned
from tpuc.kernels.image import Need
from tpuc.kernels.requant_words import BLOCK, Rounding, Unfit

__all__ = ["is_depthwise", "pack_depthwise"]

_STEPS = {(3, 3, 1): 2, (3, 3, 2): 1, (5, 5, 1): 4, (5, 5, 2): 2}
"""Outputs that share their loads, by (KH, KW, stride); 1 elsewhere."""


def is_depthwise(spec: ConvSpec) -> bool:
    """True if every channel has one filter of its own."""
    oc, per_in = spec.weights.shape[:2]
    return spec.group > 1 and per_in == 1 and oc == spec.group


def pack_depthwise(spec: ConvSpec) -> tuple[_int8.Depthwise, Need]:
    """The kernel, and what it reads around its input.

    Raises
    ------
    Unfit : the C kernel does not cover the op
    """
    channels, _, kh, kw = spec.weights.shape
    parts = split_unsigned(spec.weights)
    vectors = -(-kw // 4)
    step = 1
    if len(parts) == 1 and spec.dilations[1] == 1:
        step = _STEPS.get((kh, kw, spec.strides[1]), 1)
    if kh * len(parts) > _int8.MAX_WINDOW_ROWS:
        raise Unfit(f"a window of {kh * len(parts)} rows")
    blocks = -(-channels // BLOCK)
    rows = np.zeros((blocks * BLOCK, len(parts), kh, kw), np.int8)
    rows[:channels] = np.stack(parts, axis=1)[:, :, 0]
    rows = rows.reshape(blocks, BLOCK, len(parts) * kh, kw)
    packed = np.zeros((blocks, len(parts) * kh, step, BLOCK, vectors * 4), np.int8)
    for j in range(step):
        start = j * spec.strides[1]
        packed[:, :, j, :, start : start + kw] = rows.transpose(0, 2, 1, 3)
    # [block][row][output][channel][vector][pixel] -> [block][row][vector][output][channel][pixel]
    packed = packed.reshape(*packed.shape[:4], vectors, 4).transpose(0, 1, 4, 2, 3, 5)
    fields = {
        "channels": channels,
        "vectors": vectors,
        "step": step,
        "strides": spec.strides,
        "dilation_w": spec.dilations[1],
        "origin": spec.pads[:2],
        "low": spec.low,
        "rounding": spec.rounding,
    }
    dy = np.tile(np.arange(kh, dtype=np.int32) * spec.dilations[0], len(parts)).astype(np.int32)
    if spec.rounding == Rounding.AWAY:
        raise Unfit("halves away from zero")
    words = spec.requant(1)
    kernel = _int8.Depthwise(fields, dy, np.ascontiguousarray(packed).reshape(-1), words)
    return kernel, Need(*spec.pads, slack=4 * vectors * spec.dilations[1] + 4)
