"""Softmax of 8-bit numbers over channels.

y = saturate(half_away(e / (sum(e) * s))),  e = t[max - x], float32; t is a constant table

Powers are added one after another, and the quotient is rounded as in one division.
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu, tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, U8, Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.rules.along import Constants, along, over_all, sum_in_turn
from tpuc.backends.bm1684x.rules.quotients import byte_quotient
from tpuc.backends.bm1684x.rules.rule import why_not_bytes
from tpuc.ir import Node

__all__ = ["RULES"]

_MOST = 65535


def _covers(node: Node) -> str | None:
    if len(node.inputs) != 2 or node.inputs[1] is None or node.inputs[1].data is None:
        return "has no constant table"
    if node.integer("axis") != 1 or node.flag("log"):
        return f"axis is {node.integer('axis')}, log {node.flag('log')}"
    size = node.output.shape[1]
    return why_not_bytes(node) or (None if size <= _MOST else f"has {size} channels")


def _table(e: Emitter, node: Node) -> Local:
    place = e.take((1, LANES, 1, 256), F32)
    flat = np.ascontiguousarray(node.weight(1).reshape(-1), "<f4")
    e.load(Remote(e.constant(flat), (0, 0, 0, 1)), place)
    return place


def _compute(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    assert node.output.quant is not None
    y = e.take(x.shape, element_of(node.output))
    with e.scope():
        table = _table(e, node)
        wide, powers = e.take(x.shape, F32), e.take(x.shape, F32)
        most, below = e.take((*x.shape[:3], 1), F32), e.take(x.shape, U8)
        tiu_float.convert(e, wide, x)
        tiu_float.largest(e, most, wide, over_all(x.shape))
        tiu_float.combine(e, "sub", wide, most, wide)
        tiu_float.convert(e, below, wide)
        tiu.look_up(e, powers, table, below)
        sum_in_turn(e, most, powers)
        tiu_float.combine(e, "mul", most, most, float(np.float32(node.output.quant.scale)))
        byte_quotient(e, y, powers, most)
    return y


RULES = {"Softmax": along(_covers, _compute)}
