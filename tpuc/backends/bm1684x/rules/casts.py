"""Casts between float32 and 8 bits.

quantize:    y = saturate(round(x * float32(1 / scale))), halves away from zero
dequantize:  y = float32(scale) * x
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import F32, S32
from tpuc.backends.bm1684x.emitter import Emitter, Remote, dense, element_of, pieces
from tpuc.backends.bm1684x.rules.rule import BYTES, Rule
from tpuc.ir import DType, Node

__all__ = ["RULES"]

_COPIES = 9  # bytes of each number: float, int32 and 8 bits


def _covers(node: Node) -> str | None:
    source, target = node.activations[0], node.output
    for one, other in ((source, target), (target, source)):
        if one.dtype == DType.F32 and other.dtype in BYTES:
            zero = other.quant.zero_point if other.quant is not None else 0
            return f"zero point is {zero}" if zero else None
    return f"casts {source.dtype} to {target.dtype}"


def _emit(e: Emitter, node: Node) -> None:
    source, target = node.activations[0], node.output
    types = element_of(source), element_of(target)
    quant = target.quant if types[0] == F32 else source.quant
    assert quant is not None
    e.begin(node)
    for start, lanes, width in pieces(source.size, e.longest(_COPIES)):
        e.begin(node)
        shape = 1, lanes, 1, width
        x, y = e.take(shape, types[0]), e.take(shape, types[1])
        e.load(Remote(e.addresses[source.name] + start * types[0].size, dense(shape)), x)
        if types[0] == F32:
            whole = e.take(shape, S32)
            tiu.multiply_float(e, x, x, float(np.float32(1.0 / quant.scale)))
            tiu.cast(e, whole, x)
            tiu.cast(e, y, whole)
        else:
            tiu.dequantize(e, y, x, float(np.float32(quant.scale)))
        e.store(y, Remote(e.addresses[target.name] + start * types[1].size, dense(shape)))


RULES = {"Cast": Rule(_covers, _emit)}
