"""Pooling in INT8.

max: the largest integer of the window; the scale passes through
avg: y = saturate(v * m >> r), v = round(window sum), m, r of s_in / (s_out * kh * kw) in 8 bit;
     without count_include_pad v = round(sum * kh * kw / valid count)
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Attr, Node
from tpuc.lowering.context import Lowering
from tpuc.numerics.requant import multiplier_shift

__all__ = ["POOLING_INT8"]


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
    x = ctx.as_int(source, node.name)
    assert x.quant is not None
    area = float(np.prod(node.ints("kernel_shape")))
    m, r = multiplier_shift(x.quant.scale / (ctx.scale(node.output) * area), 8)
    attrs = {**_attrs(node), "pool_mode": "Avg", "multiplier": m, "rshift": r}
    ctx.emit_int(node, "Pool2D", [x], attrs)
    return None


POOLING_INT8 = {"MaxPool": lower_max_pool, "AvgPool": lower_avg_pool}
