"""Ops along one axis: softmax, norms, sums and means of floats, in float32.

A tensor is seen as (outer, size, inner). Rows, one for each outer and inner index, lie in the
lanes; the axis runs along the width.

softmax:    e = exp(x - max),  y = e / sum(e)
LayerNorm:  c = x - mean,  y = c / sqrt(mean(c c) + eps) * weight + bias
BF16 norms: the same with every step rounded to bfloat16, as the simulator has it
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import BF16, F32, LANES, Element, Local
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.floats import from_stored, stored
from tpuc.backends.bm1684x.rules.exponential import exponential, square_root
from tpuc.backends.bm1684x.rules.float_elementwise import narrow, widen
from tpuc.backends.bm1684x.rules.frames import Probe
from tpuc.backends.bm1684x.rules.rule import Rule, why_not_floats
from tpuc.backends.bm1684x.tiling import Window
from tpuc.ir import DType, Node, Value

__all__ = ["RULES", "Constants", "along", "over_all", "soft_maximum"]

_LONGEST = 65535
Compute = Callable[[Emitter, Node, Local, "Constants"], Local]


@dataclass(frozen=True)
class _Rows:
    """(outer, size, inner) of an operand, and how many numbers of the axis the result has."""

    outer: int
    size: int
    inner: int
    left: int


@dataclass(frozen=True)
class Constants:
    """Float32 weight and bias, the same in each lane."""

    weight: Local | None = None
    bias: Local | None = None


def over_all(shape: tuple[int, int, int, int]) -> Window:
    """A window of all numbers of a row."""
    return Window((1, shape[3]))


def _rows_of(node: Node) -> _Rows:
    shape = node.activations[0].shape
    rank = len(shape)
    if node.op == "Reduce":
        axes = sorted(a % rank for a in node.ints("axes"))
        first, last, left = axes[0], axes[-1] + 1, 1
    else:
        first = node.integer("axis") % rank
        last = rank if node.op == "LayerNorm" else first + 1
        left = math.prod(shape[first:last])
    size, inner = math.prod(shape[first:last]), math.prod(shape[last:])
    return _Rows(math.prod(shape[:first]), size, inner, left)


def _covers(node: Node) -> str | None:
    wrong = why_not_floats(node)
    if wrong:
        return wrong
    size = _rows_of(node).size
    return None if size <= _LONGEST else f"has {size} numbers along its axis; at most {_LONGEST}"


def _covers_softmax(node: Node) -> str | None:
    if node.flag("log") or node.number("beta") != 1.0:
        return f"log is {node.flag('log')}, beta {node.number('beta')}"
    return _covers(node)


def _covers_reduce(node: Node) -> str | None:
    axes = sorted(a % len(node.activations[0].shape) for a in node.ints("axes"))
    if node.text("mode") not in _MODES:
        return f"mode is {node.text('mode')}"
    if axes != list(range(axes[0], axes[-1] + 1)):
        return f"axes {axes} are no neighbours"
    return _covers(node)


def _covers_norm(node: Node) -> str | None:
    for value in node.inputs[1:]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    return _covers(node)


def _emit(compute: Compute) -> Callable[[Emitter, Node], None]:
    def emit(e: Emitter, node: Node) -> None:
        rows = _rows_of(node)
        source, target = node.activations[0], node.output
        kinds = element_of(source), element_of(target)
        e.begin(node)
        constants = _load_constants(e, node, rows)
        most = _most_rows(e, node, compute, rows)
        for outer, first, count in _parts(rows, most):
            with e.scope():
                x = e.take((1, count, 1, rows.size), kinds[0])
                e.load(_side(e, source, kinds[0], rows, (outer, first), rows.size), x)
                y = compute(e, node, x, constants)
                e.store(y, _side(e, target, kinds[1], rows, (outer, first), rows.left))

    return emit


def _side(
    e: Emitter, value: Value, kind: Element, rows: _Rows, at: tuple[int, int], size: int
) -> Remote:
    """Rows from `at` on in global memory."""
    outer, first = at
    if rows.inner == 1:
        return Remote(e.addresses[value.name] + first * size * kind.size, (0, size, size, 1))
    start = outer * size * rows.inner + first
    return Remote(e.addresses[value.name] + start * kind.size, (0, 1, 1, rows.inner))


def _parts(rows: _Rows, most: int) -> Iterator[tuple[int, int, int]]:
    """(outer, first row, rows); without inner numbers all rows lie behind one another."""
    turns, count = (1, rows.outer) if rows.inner == 1 else (rows.outer, rows.inner)
    for outer in range(turns):
        for first in range(0, count, most):
            yield outer, first, min(most, count - first)


def _most_rows(e: Emitter, node: Node, compute: Compute, rows: _Rows) -> int:
    """How many rows fit, by trying one in each lane."""
    probe = Probe({})
    probe.begin(node)
    constants = _load_constants(probe, node, rows)
    fixed = probe.most
    try:
        x = probe.take((1, LANES, 1, rows.size), element_of(node.activations[0]))
        compute(probe, node, x, constants)
    except NoRoom as error:
        told = str(error).partition(": ")[2]
        raise NoRoom(f"{node}: a row of {rows.size} numbers {told}") from error
    each = probe.most - fixed
    if each > e.room:
        raise NoRoom(
            f"{node}: a row of {rows.size} numbers needs {each} bytes of each lane; expected at "
            f"most {e.room}. Hint: smaller input_shapes"
        )
    return min(e.room // each * LANES, _LONGEST)


def _load_constants(e: Emitter, node: Node, rows: _Rows) -> Constants:
    if node.op != "LayerNorm":
        return Constants()
    found: list[Local | None] = []
    for value in (*node.inputs[1:], None, None)[:2]:
        if value is None or value.data is None:
            found.append(None)
            continue
        place = e.take((1, LANES, 1, rows.size), F32)
        flat = np.ascontiguousarray(value.data.reshape(-1), "<f4")
        e.load(Remote(e.constant(flat), (0, 0, rows.size, 1)), place)
        found.append(place)
    return Constants(*found)


def soft_maximum(e: Emitter, y: Local, x: Local) -> None:
    """y = softmax(x) along the width, float32; y is not x."""
    with e.scope():
        most, below = e.take((*x.shape[:3], 1), F32), e.take(x.shape, F32)
        tiu_float.largest(e, most, x, over_all(x.shape))
        tiu_float.combine(e, "sub", below, x, most)
        exponential(e, y, below)
        tiu_float.total(e, most, y, over_all(x.shape), 1.0)
        tiu_float.combine(e, "div", y, y, most)


def _softmax(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    x = widen(e, x)
    y = e.take(x.shape, F32)
    soft_maximum(e, y, x)
    return narrow(e, node, y)


def _rounded(number: float, dtype: DType) -> float:
    """A number as a float type holds it."""
    code = {DType.F16: 1, DType.BF16: 5}.get(dtype, 2)
    return float(from_stored(stored(np.array([number], np.float32), dtype), code)[0])


def _reduce(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    x = widen(e, x)
    y = e.take((*x.shape[:3], 1), F32)
    mode = node.text("mode")
    if mode == "ReduceMax":
        tiu_float.largest(e, y, x, over_all(x.shape))
    elif mode == "ReduceMin":
        tiu_float.combine(e, "mul", x, x, -1.0)
        tiu_float.largest(e, y, x, over_all(x.shape))
        tiu_float.combine(e, "mul", y, y, -1.0)
    elif mode == "ReduceL1":
        tiu_float.absolute(e, x, x)
        tiu_float.total(e, y, x, over_all(x.shape), 1.0)
    elif mode == "ReduceL2":
        squares = e.take(y.shape, F32)
        tiu_float.combine(e, "mul", x, x, x)
        tiu_float.total(e, squares, x, over_all(x.shape), 1.0)
        square_root(e, y, squares)
    else:
        share = _rounded(1.0 / x.shape[3], node.output.dtype) if mode == "ReduceMean" else 1.0
        tiu_float.total(e, y, x, over_all(x.shape), share)
    return narrow(e, node, y)


_MODES = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2")


def _layer_norm(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    if x.element == BF16:
        return _layer_norm_short(e, node, x, constants)
    x = widen(e, x)
    window, share = over_all(x.shape), 1.0 / x.shape[3]
    mean, y, square = e.take((*x.shape[:3], 1), F32), e.take(x.shape, F32), e.take(x.shape, F32)
    inverse = e.take(mean.shape, F32)
    tiu_float.total(e, mean, x, window, share)
    tiu_float.combine(e, "sub", y, x, mean)
    tiu_float.combine(e, "mul", square, y, y)
    tiu_float.total(e, mean, square, window, share)
    tiu_float.combine(e, "add", mean, mean, node.number("eps"))
    tiu_float.reciprocal_root(e, inverse, mean)
    tiu_float.combine(e, "mul", y, y, inverse)
    if constants.weight is not None:
        tiu_float.combine(e, "mul", y, y, constants.weight)
    if constants.bias is not None:
        tiu_float.combine(e, "add", y, y, constants.bias)
    return narrow(e, node, y)


def _layer_norm_short(e: Emitter, node: Node, x: Local, constants: Constants) -> Local:
    """Every step rounded to bfloat16, but for the running sums."""
    window, share = over_all(x.shape), _rounded(1.0 / x.shape[3], DType.BF16)
    one = (*x.shape[:3], 1)
    wide, sums, root = e.take(x.shape, F32), e.take(one, F32), e.take(one, F32)
    y, square, short = e.take(x.shape, BF16), e.take(x.shape, BF16), e.take(one, BF16)
    tiu_float.convert(e, wide, x)
    tiu_float.total(e, sums, wide, window, share)
    tiu_float.convert(e, short, sums)
    tiu_float.combine(e, "sub", y, x, short)
    tiu_float.combine(e, "mul", square, y, y)
    tiu_float.combine(e, "mul", square, square, share)
    tiu_float.convert(e, wide, square)
    tiu_float.total(e, sums, wide, window, 1.0)
    tiu_float.convert(e, short, sums)
    tiu_float.combine(e, "add", short, short, node.number("eps"))
    tiu_float.convert(e, sums, short)
    tiu_float.reciprocal_root(e, root, sums)
    tiu_float.combine(e, "mul", sums, sums, root)
    tiu_float.convert(e, short, sums)
    tiu_float.convert(e, sums, short)
    tiu_float.combine(e, "div", sums, 1.0, sums)
    tiu_float.convert(e, short, sums)
    tiu_float.combine(e, "mul", y, y, short)
    for name, place in (("mul", constants.weight), ("add", constants.bias)):
        if place is not None:
            tiu_float.convert(e, wide, y)
            tiu_float.combine(e, name, wide, wide, place)
            tiu_float.convert(e, y, wide)
    return y


def along(covers: Callable[[Node], str | None], compute: Compute) -> Rule:
    """A rule of such an op."""
    return Rule(covers, _emit(compute))


RULES = {
    "Softmax": along(_covers_softmax, _softmax),
    "LayerNorm": along(_covers_norm, _layer_norm),
    "Reduce": along(_covers_reduce, _reduce),
}
