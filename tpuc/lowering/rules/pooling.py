"""Pooling in INT8.

max: the largest integer of the window; the scale passes through
avg: y = saturate(v * m >> r), v = round(window sum), m, r of s_in / (s_out * kh * kw) in 8 bit;
     a processor that takes the reciprocal: m, r of 1 / (kh * kw) in 8 bit, windows up to 225
     without count_include_pad v = round(sum * kh * kw / valid count), halves away from zero, or
     up where multipliers are cut
     with zero points y = saturate(round(float32(mean of q) * kh * kw * scale + offset)),
     scale = s_in / (kh * kw * s_out), offset = zp_out - s_in / s_out * zp_in, and padding counts
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, Node, Value
from tpuc.lowering.context import Lowering
from tpuc.numerics.qdm import short_multiplier
from tpuc.numerics.requant import multiplier_shift
from tpuc.numerics.right_shift import reciprocal

__all__ = ["POOLING_INT8"]

_MOST_AREA = 225


def _attrs(node: Node) -> dict[str, Attr]:
    keys = ("kernel_shape", "strides", "pads", "count_include_pad", "keepdims", "do_relu")
    return {k: node.attrs[k] for k in keys}


def lower_max_pool(ctx: Lowering, node: Node) -> str | None:
    """MaxPool."""
    source = node.inputs[0]
    assert source is not None
    x = ctx.as_int(source, node.name)
    ctx.emit_int(node, "Pool2D", [x], {**_attrs(node), "pool_mode": "Max"}, like=x)
    return None


def lower_avg_pool(ctx: Lowering, node: Node) -> str | None:
    """AvgPool."""
    source = node.inputs[0]
    assert source is not None
    area = int(np.prod(node.ints("kernel_shape")))
    alone = ctx.processor.average == "reciprocal"
    if alone and area > _MOST_AREA:
        return f"its window has {area} numbers; at most {_MOST_AREA} here"
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    if ctx.asymmetric:
        return _affine(ctx, node, x, area)
    factor = x.quant.scale / (ctx.scale(node.output) * area)
    m, r = reciprocal(area) if alone else multiplier_shift(factor, 8)
    cut = ctx.processor.average == "truncated"
    if cut:
        m, r = short_multiplier(factor)
    attrs = {**_attrs(node), "pool_mode": "Avg", "multiplier": m, "rshift": r}
    attrs["round_mode"] = "HalfUp" if cut else "HalfAwayFromZero"
    ctx.emit_int(node, "Pool2D", [x], attrs)
    return None


def _affine(ctx: Lowering, node: Node, x: Value, area: int) -> str | None:
    """AvgPool between types with zero points."""
    if not _covered(node):
        return "its windows do not cover the picture"
    assert x.quant is not None
    s_in, s_out = x.quant.scale, ctx.scale(node.output)
    attrs = {**_attrs(node), "pool_mode": "Avg", "scale": s_in / (area * s_out)}
    attrs["offset"] = ctx.zero(node.output) - s_in / s_out * x.quant.zero_point
    ctx.emit_int(node, "Pool2D", [x], attrs)
    return None


def _covered(node: Node) -> bool:
    """Whether the last window ends where the padded picture does."""
    source, kernel = node.inputs[0], node.ints("kernel_shape")
    assert source is not None
    size, pads = source.shape[2:], node.ints("pads")
    out = node.output.shape[2:] or (1,) * len(size)
    ends = zip(size, out, node.ints("strides"), kernel, pads, pads[len(size) :])
    return all((o - 1) * s + k >= i + a + b for i, o, s, k, a, b in ends)


POOLING_INT8 = {"MaxPool": lower_max_pool, "AvgPool": lower_avg_pool}
