"""Products with a constant matrix in floats, as convolutions of one pixel."""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.float_convolution import (
    Part,
    biases_of,
    emit_part,
    limits_of,
    whole,
    why_not_weights,
)
from tpuc.backends.bm1684x.rules.rule import Rule, why_not_floats
from tpuc.backends.bm1684x.tiling import Window, axes_of
from tpuc.ir import Node

__all__ = ["RULES"]


def _covers_product(node: Node) -> str | None:
    """Why a product with a constant matrix has no instructions."""
    wrong = why_not_floats(node) or why_not_weights(node)
    if wrong:
        return wrong
    for key in ("left_transpose", "hdim_is_batch"):
        if node.flag(key):
            return f"{key} is true"
    shape = node.weight(1).shape
    return None if len(shape) == 2 else f"its matrix has shape {list(shape)}"


def _product_part(e: Emitter, node: Node) -> Part:
    """As a 1 x 1 convolution: rows of the left matrix are columns of a picture."""
    source, target = node.activations[0], node.output
    matrix = node.weight(1) if not node.flag("right_transpose") else node.weight(1).T
    depth, width = matrix.shape
    rows = source.size // depth
    one = Window((1, 1))
    return Part(
        Remote(e.addresses[source.name], (rows * depth, 1, rows * depth, depth)),
        Remote(e.addresses[target.name], (rows * width, 1, rows * width, width)),
        1,
        depth,
        target.dtype,
        element_of(target),
        axes_of(one, (1, rows), (1, rows)),
        one,
        np.ascontiguousarray(matrix.T).reshape(width, depth, 1, 1),
        biases_of(node, width),
        limits_of(node),
    )


def _product(e: Emitter, node: Node) -> None:
    """A product with a constant matrix, in parts."""
    emit_part(e, node, _product_part(e, node))


def _product_whole(e: Emitter, node: Node, stays: bool) -> None:
    """The same of one row, all at once."""
    part = _product_part(e, node)
    if part.axes[1].size != 1:
        raise NoRoom(f"{node}: has {part.axes[1].size} rows; one is computed where it lies")
    whole(e, node, part, stays)


RULES = {"MatMul": Rule(_covers_product, _product, _product_whole)}
