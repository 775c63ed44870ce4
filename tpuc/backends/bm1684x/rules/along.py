"""Ops along one axis: softmax, sums and means of floats, in float32.

A tensor is seen as (outer, size, inner). Rows, one for each outer and inner index, lie in the
lanes; the axis runs along the width.

softmax:    e = exp(x - max),  y = e / sum(e)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, Element, Local
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, element_of
from tpuc.backends.bm1684x.rules.exponential import exponential, square_root
from tpuc.backends.bm1684x.rules.float_elementwise import narrow, rounded_to, widen
from tpuc.backends.bm1684x.rules.frames import Probe
from tpuc.backends.bm1684x.rules.rule import Rule, why_not_floats
from tpuc.backends.bm1684x.tiling import Window
from tpuc.ir import Node, Value

__all__ = [
    "RULES",
    "Constants",
    "along",
    "over_all",
    "soft_maximum",
    "sum_in_turn",
    "why_not_rows",
]

_LONGEST = 65535
Compute = Callable[[Emitter, Node, Local, "Constants"], Local]
Load = Callable[[Emitter, Node, int, int], "Constants"]  # for some rows: the first, how many


@dataclass(frozen=True)
class _Rows:
    """(outer, size, inner) of an operand, and how many numbers of the axis the result has."""

    outer: int
    size: int
    inner: int
    left: int


@dataclass(frozen=True)
class Constants:
    """Float32 weight and bias."""

    weight: Local | None = None
    bias: Local | None = None


def over_all(shape: tuple[int, int, int, int]) -> Window:
    """A window of all numbers of a row."""
    return Window((1, shape[3]))


def sum_in_turn(e: Emitter, r: Local, a: Local) -> None:
    """r = ((a_0 + a_1) + a_2) + ... along the width, rounded at each step.

    The chip adds even taps of a window and odd ones apart; here the odd ones read padding.
    """
    line = replace(a, shape=(*a.shape[:2], a.shape[3], 1))
    window = Window((a.shape[3], 2), pads=(0, 0, 0, 1))
    tiu_float.total(e, r, line, window, 1.0)


def _rows_of(node: Node) -> _Rows:
    shape = node.activations[0].shape
    rank = len(shape)
    if node.op in ("GroupNorm", "InstanceNorm"):
        count = shape[0] * (node.integer("num_groups") if node.op == "GroupNorm" else shape[1])
        size = math.prod(shape) // count
        return _Rows(count, size, 1, size)
    if node.op == "Reduce":
        axes = sorted(a % rank for a in node.ints("axes"))
        first, last, left = axes[0], axes[-1] + 1, 1
    else:
        first = rank - 1 if node.op == "RMSNorm" else node.integer("axis") % rank
        last = rank if node.op == "LayerNorm" else first + 1
        left = math.prod(shape[first:last])
    size, inner = math.prod(shape[first:last]), math.prod(shape[last:])
    return _Rows(math.prod(shape[:first]), size, inner, left)


def why_not_rows(node: Node, mixed: bool = False) -> str | None:
    wrong = why_not_floats(node, mixed)
    if wrong:
        return wrong
    size = _rows_of(node).size
    return None if size <= _LONGEST else f"has {size} numbers along its axis; at most {_LONGEST}"


def _covers_softmax(node: Node) -> str | None:
    if node.flag("log") or node.number("beta") != 1.0:
        return f"log is {node.flag('log')}, beta {node.number('beta')}"
    return why_not_rows(node, mixed=True)


def _covers_reduce(node: Node) -> str | None:
    axes = sorted(a % len(node.activations[0].shape) for a in node.ints("axes"))
    if node.text("mode") not in _MODES:
        return f"mode is {node.text('mode')}"
    if axes != list(range(axes[0], axes[-1] + 1)):
        return f"axes {axes} are no neighbours"
    return why_not_rows(node, mixed=True)


def _emit(compute: Compute, load: Load, each: bool) -> Callable[[Emitter, Node], None]:
    def emit(e: Emitter, node: Node) -> None:
        rows = _rows_of(node)
        source, target = node.activations[0], node.output
        kinds = element_of(source), element_of(target)
        e.begin(node)
        constants = Constants() if each else load(e, node, 0, LANES)
        most = _most_rows(e, node, (compute, load), rows)
        for outer, first, count in _parts(rows, most):
            with e.scope():
                x = e.take((1, count, 1, rows.size), kinds[0])
                e.load(_side(e, source, kinds[0], rows, (outer, first), rows.size), x)
                y = compute(e, node, x, load(e, node, first, count) if each else constants)
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


def _most_rows(e: Emitter, node: Node, how: tuple[Compute, Load], rows: _Rows) -> int:
    """How many rows fit, by trying one in each lane."""
    compute, load = how
    probe = Probe({})
    probe.begin(node)
    constants = load(probe, node, 0, LANES)
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
        sum_in_turn(e, y, x)
        if mode == "ReduceMean":
            share = rounded_to(1.0 / x.shape[3], node.output.dtype)
            tiu_float.combine(e, "mul", y, y, share)
    return narrow(e, node, y)


_MODES = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2")


def _none(e: Emitter, node: Node, first: int, count: int) -> Constants:
    return Constants()


def along(
    covers: Callable[[Node], str | None], compute: Compute, load: Load = _none, each: bool = False
) -> Rule:
    """A rule of such an op; constants are loaded once, or for `each` part."""
    return Rule(covers, _emit(compute, load, each))


RULES = {
    "Softmax": along(_covers_softmax, _softmax),
    "Reduce": along(_covers_reduce, _reduce),
}
