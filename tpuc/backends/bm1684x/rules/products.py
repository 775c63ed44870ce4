"""Products of two computed matrices.

y = round(sum(a * b)), F16 and BF16; saturate(half_away(sum(a * b) * m >> s)), 8 bits. Rows of the
left matrix and of the result lie in the lanes, as do those of the right one. In float32 rows of the
left matrix are filters, and those of the right one channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tpuc.backends.bm1684x import tiu, tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, LOCAL, S32, Element, Local, Shape, up
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.float_elementwise import relu
from tpuc.backends.bm1684x.rules.rule import why_not_bytes
from tpuc.backends.bm1684x.tiling import Window
from tpuc.ir import DType, Node, Value

__all__ = ["is_computed", "multiply_matrices", "why_not_matrices"]

_LONGEST = 65535


@dataclass(frozen=True)
class _Sizes:
    """batch x (rows, depth) times (depth, width)."""

    batch: tuple[int, ...]
    rows: int
    depth: int
    width: int


def is_computed(node: Node) -> bool:
    """Whether both operands are computed."""
    return len(node.activations) >= 2


def _turned(value: Value, node: Node, key: str) -> tuple[list[int], int, int]:
    """Steps of the batch axes, of rows and of columns of an operand or the result."""
    shape = list(value.shape)
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    order = list(range(len(shape)))
    if key and node.flag(key):
        order[-2], order[-1] = order[-1], order[-2]
    found = [steps[i] if shape[i] > 1 else 0 for i in order[:-2]]
    return found, steps[order[-2]], steps[order[-1]]


def _dims(value: Value, node: Node, key: str) -> list[int]:
    shape = list(value.shape)
    if key and node.flag(key):
        shape[-2], shape[-1] = shape[-1], shape[-2]
    return shape


def _sizes(node: Node) -> _Sizes:
    left, right = (
        _dims(v, node, f"{side}_transpose") for v, side in zip(node.activations, ("left", "right"))
    )
    return _Sizes(tuple(_dims(node.output, node, "")[:-2]), left[-2], left[-1], right[-1])


def why_not_matrices(node: Node) -> str | None:
    """Why such an op has no instructions."""
    left, right = node.activations[:2]
    if len(node.activations) > 2 or any(v is not None for v in node.inputs[2:]):
        return "has a bias"
    if min(len(left.shape), len(right.shape)) < 2 or len(left.shape) != len(right.shape):
        return f"its operands have shapes {list(left.shape)}, {list(right.shape)}"
    if node.flag("hdim_is_batch"):
        return "hdim_is_batch is true"
    kind = node.output.dtype
    if not kind.is_float:
        wrong = why_not_bytes(node)
        if wrong:
            return wrong
        if node.attrs.get("round_mode") != "HalfAwayFromZero":
            return f"round_mode is {node.attrs.get('round_mode')}"
    elif any(v.dtype != kind for v in (left, right)):
        return f"multiplies {left.dtype} and {right.dtype}"
    sizes = _sizes(node)
    most = max(sizes.rows, sizes.depth, sizes.width)
    return None if most <= _LONGEST else f"has {most} rows or columns; at most {_LONGEST}"


def _tile(e: Emitter, node: Node, s: _Sizes) -> tuple[int, int]:
    """Rows and columns of a part: as many rows as fit beside all columns, or fewer of both."""
    left, right, out = (element_of(v).size for v in (*node.activations[:2], node.output))
    wide = 0 if node.output.dtype.is_float else 4

    def need(rows: int, width: int) -> int:
        groups = -(-rows // LANES)
        each = up(s.depth * left) + up(width * out) + up(width * wide)
        return groups * each + -(-s.depth // LANES) * up(width * right)

    width = s.width
    while need(min(LANES, s.rows), width) > e.room:
        if width <= 64:
            raise NoRoom(
                f"{node}: 64 rows of {s.depth} numbers need {need(LANES, width)} bytes of each "
                f"lane; expected at most {e.room}. Hint: smaller input_shapes"
            )
        width = up(width // 2)
    rows = s.rows
    while need(rows, width) > e.room:
        rows = max(up(rows // 2), LANES)
    return rows, width


def multiply_matrices(e: Emitter, node: Node) -> None:
    """All batches one by one, in parts, from global memory."""
    s = _sizes(node)
    e.begin(node)
    tile = _tile(e, node, s)
    sides = (*node.activations[:2], node.output)
    kinds = [element_of(v) for v in sides]
    steps = [_turned(v, node, k) for v, k in zip(sides, ("left_transpose", "right_transpose", ""))]
    bases = [e.addresses[v.name] for v in sides]
    for batch in _every(s.batch):
        starts = [
            base + kind.size * sum(i * b for i, b in zip(batch, step[0]))
            for base, kind, step in zip(bases, kinds, steps)
        ]
        far = [Remote(at, (0, step[1], 0, step[2])) for at, step in zip(starts, steps)]
        for first in range(0, s.width, tile[1]):
            width = min(tile[1], s.width - first)
            e.begin(node)
            right = _loaded(e, far[1].at((0, 0, 0, first), kinds[1]), (s.depth, width), kinds[1])
            for row in range(0, s.rows, tile[0]):
                rows = min(tile[0], s.rows - row)
                with e.scope():
                    left = _load_left(
                        e, far[0].at((0, row, 0, 0), kinds[0]), (rows, s.depth), kinds[0]
                    )
                    y = _product(e, node, left, right)
                    e.store(y, far[2].at((0, row, 0, first), kinds[2]))


def _every(batch: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if not batch:
        yield ()
        return
    for i in range(batch[0]):
        for rest in _every(batch[1:]):
            yield (i, *rest)


def _loaded(e: Emitter, far: Remote, size: tuple[int, int], kind: Element) -> Local:
    shape: Shape = 1, size[0], 1, size[1]
    place = e.take(shape, kind)
    e.load(far, place)
    return place


def _load_left(e: Emitter, far: Remote, size: tuple[int, int], kind: Element) -> Local:
    """Rows of float32 without gaps between those of a lane, as filters lie."""
    if kind != F32:
        return _loaded(e, far, size, kind)
    shape: Shape = 1, size[0], 1, size[1]
    place = e.take(shape, kind)
    e.copy(far, Remote(LOCAL + place.address, (0, size[1], size[1], 1)), shape, kind)
    return place


def _product(e: Emitter, node: Node, left: Local, right: Local) -> Local:
    shape: Shape = 1, left.shape[1], 1, right.shape[3]
    y = e.take(shape, element_of(node.output))
    if node.output.dtype.is_float:
        if node.output.dtype == DType.F32:
            tiu_float.convolve_float(e, y, right, (left.address, None), Window((1, 1)))
        else:
            tiu_float.multiply_rows(e, y, left, right)
        relu(e, node, y)
        return y
    sums = e.take(shape, S32)
    tiu_float.multiply_rows(e, sums, left, right)
    factor = node.ints("multipliers")[0], node.ints("rshifts")[0]
    tiu.requantize(e, y, sums, factor, tiu.HALF_AWAY)
    if node.flag("do_relu") and y.element.signed:
        tiu.raise_to_zero(e, y)
    return y
