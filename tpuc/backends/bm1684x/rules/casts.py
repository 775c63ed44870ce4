"""Casts between floats and 8 bits, and between floats.

float32:       y = saturate(round(x * float32(1 / scale))), halves away from zero;
               y = float32(scale) * x
int32:         y = round(float32(scale) * x), the same
short floats:  the same with factor and product rounded to the short type; so are those of float32
               that stand for halves (`folding_casts`)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tpuc.backends.bm1684x import tiu, tiu_float
from tpuc.backends.bm1684x.command import F32, S32, Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote, dense, element_of, pieces
from tpuc.backends.bm1684x.rules.float_elementwise import narrow_to_bytes
from tpuc.backends.bm1684x.rules.frames import framed
from tpuc.backends.bm1684x.rules.rule import BYTES, Rule
from tpuc.ir import DType, Node

__all__ = ["FLOAT_RULES", "RULES"]

_COPIES = 9  # bytes of each number: float, int32 and 8 bits


def _covers(node: Node) -> str | None:
    source, target = node.activations[0], node.output
    if (source.dtype, target.dtype) == (DType.SI32, DType.F32):
        scale = 1.0 if source.quant is None else source.quant.scale
        return None if scale == 1.0 else f"scale is {scale}"
    if target.dtype == DType.SI32 and source.dtype in BYTES:
        zero = source.quant.zero_point if source.quant is not None else 0
        return f"zero point is {zero}" if zero else None
    for one, other in ((source, target), (target, source)):
        if one.dtype == DType.F32 and other.dtype in BYTES:
            zero = other.quant.zero_point if other.quant is not None else 0
            return f"zero point is {zero}" if zero else None
    return f"casts {source.dtype} to {target.dtype}"


def _to_counts(e: Emitter, y: Local, x: Local, scale: float) -> None:
    real = e.take(x.shape, F32)
    tiu.dequantize(e, real, x, scale)
    tiu.cast(e, y, real)


def _to_bytes(e: Emitter, y: Local, x: Local, factor: float) -> None:
    whole = e.take(x.shape, S32)
    tiu.multiply_float(e, x, x, factor)
    tiu.cast(e, whole, x)
    tiu.cast(e, y, whole)


def _emit(e: Emitter, node: Node) -> None:
    source, target = node.activations[0], node.output
    types = element_of(source), element_of(target)
    quant = target.quant if types[0] == F32 else source.quant
    e.begin(node)
    row = e.rows.pop(source.name, None)
    if row is not None:
        assert quant is not None
        y = e.take(row.shape, types[1])
        tiu.dequantize(e, y, row, float(np.float32(quant.scale)))
        e.store_row(y, e.addresses[target.name], target.size)
        return
    for start, lanes, width in pieces(source.size, e.longest(_COPIES)):
        e.begin(node)
        shape = 1, lanes, 1, width
        x, y = e.take(shape, types[0]), e.take(shape, types[1])
        e.load(Remote(e.addresses[source.name] + start * types[0].size, dense(shape)), x)
        if types[0] == S32:
            tiu_float.convert(e, y, x)
        elif types[1] == S32:
            assert quant is not None
            _to_counts(e, y, x, float(np.float32(quant.scale)))
        elif types[0] == F32:
            assert quant is not None
            if node.attrs.get("through") == "F16":
                y = narrow_to_bytes(e, target, x)
            else:
                _to_bytes(e, y, x, float(np.float32(1.0 / quant.scale)))
        else:
            assert quant is not None
            tiu.dequantize(e, y, x, float(np.float32(quant.scale)))
        e.store(y, Remote(e.addresses[target.name] + start * types[1].size, dense(shape)))


def _covers_short(node: Node) -> str | None:
    for value in (node.activations[0], node.output):
        if value.dtype.is_float:
            continue
        if value.dtype not in BYTES:
            return f"casts {node.activations[0].dtype} to {node.output.dtype}"
        if value.quant is not None and value.quant.zero_point:
            return f"zero point is {value.quant.zero_point}"
    return None


def _cast_short(e: Emitter, node: Node, operands: Sequence[Local]) -> Local:
    (x,) = operands
    source, target = node.activations[0], node.output
    y = e.take(x.shape, element_of(target))
    if source.dtype.is_float and target.dtype.is_float:
        if F32 not in (x.element, y.element):
            wide = e.take(x.shape, F32)
            tiu_float.convert(e, wide, x)
            x = wide
        tiu_float.convert(e, y, x)
    elif source.dtype.is_float:
        assert target.quant is not None
        scaled = e.take(x.shape, x.element)
        tiu_float.combine(e, "mul", scaled, x, float(np.float32(1.0 / target.quant.scale)))
        tiu_float.convert(e, y, scaled, tiu_float.AWAY)
    else:
        assert source.quant is not None
        tiu_float.convert(e, y, x)
        tiu_float.combine(e, "mul", y, y, float(np.float32(source.quant.scale)))
    return y


RULES = {"Cast": Rule(_covers, _emit)}
FLOAT_RULES = {"Cast": framed(_covers_short, _cast_short)}
