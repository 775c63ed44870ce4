"""Rows of a table that computed numbers choose."""

from __future__ import annotations

import math

from tpuc.backends.bm1684x.command import GLOBAL
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.rules.frames import place_of
from tpuc.backends.bm1684x.rules.rule import KEPT, Rule
from tpuc.ir import DType, Node

__all__ = ["RULES"]

_LONGEST = 65535
_MOST = 1024  # commands of an op


def _covers(node: Node) -> str | None:
    table, places = node.inputs[:2]
    if table is None or places is None:
        return "an operand is missing"
    if table.dtype != node.output.dtype or table.dtype not in KEPT:
        return f"gathers {table.dtype} into {node.output.dtype}"
    if places.dtype != DType.SI32:
        return f"its positions are {places.dtype}; expected si32"
    outer, row = _around(node)
    if outer > _MOST:
        return f"gathers from {outer} tables; at most {_MOST}"
    return None if row <= _LONGEST else f"its rows have {row} numbers; at most {_LONGEST}"


def _around(node: Node) -> tuple[int, int]:
    """Numbers before and behind the axis."""
    table = node.inputs[0]
    assert table is not None
    axis = node.integer("axis") % len(table.shape)
    return math.prod(table.shape[:axis]), math.prod(table.shape[axis + 1 :])


def _gather(e: Emitter, node: Node) -> None:
    table, places = node.inputs[:2]
    assert table is not None and places is not None
    e.begin(node)
    (outer, row), count = _around(node), places.size
    size, rows = element_of(node.output).size, table.size // outer // row
    fields = {"s_c": 1, "s_h": rows, "s_w": row, "s_hstr": row}
    fields |= {"r_c": 1, "r_h": count, "r_w": row, "r_hstr": row}
    fields |= {"i_c": 1, "i_h": count, "i_hstr": 1}
    source, target, index = place_of(e, table), e.addresses[node.name], place_of(e, places)
    for turn in range(outer):
        starts = source + turn * rows * row * size, target + turn * count * row * size, index
        for side, address in zip("sri", starts):
            assert address >= GLOBAL
            fields |= {f"{side}_low": address & 0xFFFFFFFF, f"{side}_high": address >> 32}
        e.emit("dma_gather", type=element_of(node.output).code, **fields)


RULES = {"Gather": Rule(_covers, _gather)}
