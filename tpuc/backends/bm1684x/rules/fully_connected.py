"""Products with a constant matrix, as convolutions of one pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, S32, Local
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.convolution import emit_part, whole
from tpuc.backends.bm1684x.rules.filters import (
    Part,
    Slice,
    compute,
    pack,
    why_not_weights,
    words_of,
)
from tpuc.backends.bm1684x.rules.rule import Rule, shape_of, why_not_bytes
from tpuc.backends.bm1684x.tiling import Window, axes_of
from tpuc.ir import DType, Node

__all__ = ["RULES"]


def _covers_matmul(node: Node) -> str | None:
    wrong = why_not_bytes(node) or why_not_weights(node)
    if wrong:
        return wrong
    for key in ("left_transpose", "right_transpose", "hdim_is_batch"):
        if node.flag(key):
            return f"{key} is true"
    if node.attrs.get("round_mode") != "HalfAwayFromZero":
        return f"round_mode is {node.attrs.get('round_mode')}"
    shape = node.weight(1).shape
    return None if len(shape) == 2 else f"its matrix has shape {list(shape)}"


def _matmul_part(e: Emitter, node: Node) -> Part:
    """As a 1 x 1 convolution: rows of the left matrix are columns of a picture."""
    source, target = node.activations[0], node.output
    matrix = node.weight(1)
    depth, width = matrix.shape
    rows = source.size // depth
    one = Window((1, 1))
    multipliers, shifts = (np.full(width, node.ints(key)[0]) for key in ("multipliers", "rshifts"))
    return Part(
        Remote(e.addresses[source.name], (rows * depth, 1, rows * depth, depth)),
        Remote(e.addresses[target.name], (rows * width, 1, rows * width, width)),
        1,
        depth,
        (element_of(source), element_of(target)),
        axes_of(one, (1, rows), (1, rows)),
        one,
        matrix.T[:, :, None, None],
        words_of(node, multipliers, shifts, width),
        tiu.HALF_AWAY,
        node.flag("do_relu"),
    )


def _matmul(e: Emitter, node: Node) -> None:
    emit_part(e, node, _matmul_part(e, node))


def _matmul_whole(e: Emitter, node: Node, stays: bool) -> None:
    part = _matmul_part(e, node)
    if part.axes[1].size != 1:
        raise NoRoom(f"{node}: has {part.axes[1].size} rows; one is computed where it lies")
    if stays or len(part.filters) <= LANES:
        whole(e, node, part, stays)
        return
    row = _row(e, node, part)
    readers = node.output.users
    alone = len(readers) == 1 and node.name not in e.outputs
    if alone and readers[0].op == "Cast" and readers[0].output.dtype == DType.F32:
        e.rows[node.name] = row
    else:
        e.store_row(row, e.addresses[node.name], len(part.filters))


def _row(e: Emitter, node: Node, part: Part) -> Local:
    """The result as (1, lanes, 1, width), number i at lane i // width, to be stored in long runs.

    For that, columns of the matrix are taken in another order: result 64 q + lane of the product
    is number width * lane + q.
    """
    count = len(part.filters)
    width = -(-count // LANES)
    order = np.arange(width * LANES).reshape(LANES, width).T.reshape(-1)
    filters = np.zeros((width * LANES, *part.filters.shape[1:]), np.int8)
    words = np.zeros((width * LANES, 3), np.int64)
    filters[:count], words[:count] = part.filters, part.words
    turned = replace(part, filters=filters[order], words=words[order])
    block = e.load_block(pack(turned.filters, turned.words, False))
    x = e.fetch(node.activations[0], shape_of(node.activations[0]))
    shape = 1, width * LANES, 1, 1
    sums, y = e.take(shape, S32), e.take(shape, part.types[1])
    compute(e, turned, Slice(0, len(filters), block.address), (x, sums, y), (0, 0, 0, 0))
    row = e.take((1, LANES, 1, width), part.types[1])
    tiu.pack_rows(e, row, y)
    return row


RULES = {"MatMul": Rule(_covers_matmul, _matmul, _matmul_whole)}
