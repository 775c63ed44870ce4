"""C kernels of element-wise integer ops of two operands (csrc/eltwise.h).

Operands that the loops can not walk, because they repeat along some axes, are written out first:
constants once, computed ones at every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tpuc.ir import DType, Node, Value
from tpuc.kernels import _int8
from tpuc.kernels.image import Layout, Need, bias_of, geometry, is_bytes, zero_of
from tpuc.kernels.requant_words import Unfit
from tpuc.kernels.strided import as_array, copying
from tpuc.simulator.image_kernel import ImageKernel, planned

__all__ = ["PAIRS", "low_of"]

_KINDS = {"Add": 0, "Sub": 0, "Mul": 1, "Max": 2, "Min": 3, "PRelu": 4}
_SUM, _TWICE = 5, 6
"""Add and Sub with one shift behind the sum; Mul that is shifted twice."""


Refresh = Callable[[int], None]
"""Writes a repeated operand out; takes the number of threads."""


def low_of(node: Node) -> int:
    """Smallest byte of a result."""
    return zero_of(node.output) if node.attrs.get("do_relu") else 0


def _walks(small: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether the loops can walk the second operand: the result's shape, or 1 x 1 pictures."""
    if len(small) != len(whole):
        return False
    a, b = geometry(small), geometry(whole)
    assert a is not None and b is not None
    return small == whole or (a[1:] == (b[1], 1, 1) and a[0] == b[0])


def _check_repeats(value: Value, result: Value) -> None:
    rank = len(result.shape)
    shape = (1,) * (rank - len(value.shape)) + value.shape
    fits = len(shape) == rank and all(s in (1, o) for s, o in zip(shape, result.shape))
    if not fits or (value.data is None and len(value.shape) != rank):
        raise Unfit(f"an operand of shape {value.shape} for a result of {result.shape}")


def _written_out(value: Value, result: Value, count: int) -> tuple[_int8.View, np.ndarray]:
    """An image of the result's shape for a repeated operand, and its axes."""
    shape = geometry((count, *result.shape[1:]))
    assert shape is not None
    layout = Layout(shape, Need(), zero_of(value), bias=bias_of(value))
    view = layout.view(np.zeros(layout.size, np.uint8), 0)
    return view, as_array(view, result.shape)


def _constant(value: Value, result: Value, batch: int) -> _int8.View:
    """A constant written out, one picture for all where it has only one."""
    assert value.data is not None
    rank = len(result.shape)
    data = value.data.reshape((1,) * (rank - value.data.ndim) + value.data.shape)
    if batch % data.shape[0]:
        raise Unfit(f"a constant for each of {data.shape[0]} samples, and {batch} of them")
    if data.shape[0] > 1:  # written for one batch, repeated for the others
        data = np.concatenate([data] * (batch // data.shape[0]))
    view, axes = _written_out(value, result, data.shape[0])
    axes[...] = (data.astype(np.int64) + bias_of(value)).astype(np.uint8)
    if data.shape[0] == batch:
        return view
    _, row, pixel = view.strides
    shape = (batch, *view.shape[1:])
    return _int8.View(view.memory, view.origin, shape, (0, row, pixel), (0,) * 4, view.zero)


def _repeated(
    source: _int8.View, value: Value, result: Value, batch: int
) -> tuple[_int8.View, Refresh]:
    view, axes = _written_out(value, result, batch)
    copy = copying(np.broadcast_to(as_array(source, value.shape), axes.shape), axes)
    assert copy is not None
    return view, copy.run


def _terms(node: Node) -> tuple[list[Value], list[int], list[int], int]:
    """Operands with multipliers and shifts, and the sign of the second."""
    operands = [v for v in node.inputs if v is not None]
    if len(operands) != 2:
        raise Unfit(f"it has {len(operands)} operands")
    m, s, sign = [1, 1], [0, 0], 1
    if node.op in ("Add", "Sub", "Max", "Min"):
        m, s = list(node.ints("multipliers", (1, 1))), list(node.ints("rshifts", (0,)))
        s = s * 2 if len(s) == 1 else s
        sign = -1 if node.op == "Sub" else 1
    elif node.op == "Mul":
        m[0], s[0] = node.integer("multiplier"), node.integer("rshift")
    elif node.op == "PRelu":
        s[0] = node.integer("rshift")
        if node.attrs.get("multiplier_pos") is not None:
            m[1], s[1] = node.integer("multiplier_pos"), node.integer("rshift_pos")
    ordered = node.op in ("Sub", "PRelu")
    swapped = bool(node.attrs.get("is_reverse")) if ordered else _fits_second(operands, node.output)
    if swapped:
        operands = operands[::-1]
        if node.op != "Mul" and node.op != "PRelu":
            m, s = m[::-1], s[::-1]
    return operands, m, s, sign


def _fits_second(operands: Sequence[Value], result: Value) -> bool:
    """Whether the first of two had better be the second."""
    a, b = operands
    return a.is_weight or (a.shape != result.shape and b.shape == result.shape)


def _kind(node: Node) -> int:
    if node.op in ("Add", "Sub") and len(node.ints("rshifts")) == 1:
        return _SUM
    return _TWICE if node.attrs.get("quant_mode") == "QDM" else _KINDS[node.op]


def _pair(node: Node) -> ImageKernel:
    operands, m, s, sign = _terms(node)
    result = node.output
    for value in operands:
        if not is_bytes(value) and not (value.is_weight and value.dtype in (DType.SI8, DType.UI8)):
            raise Unfit(f"an operand is {value.dtype} {value.shape}")
        _check_repeats(value, result)
    kind = _kind(node)
    if max(map(abs, m)) >= (2**31 if kind == _TWICE else 2**13) or min(s) < 0 or max(s) > 30:
        raise Unfit(f"multipliers {m} and shifts {s}")
    kernel = _int8.Eltwise(kind, sign, m, s, low_of(node))
    walked = operands[0].shape == result.shape, _walks(operands[1].shape, result.shape)
    inputs = tuple(v for v in operands if not v.is_weight)

    def plan(sources: Sequence[_int8.View], target: _int8.View) -> Callable[[int], None]:
        views: list[_int8.View] = []
        before: list[Refresh] = []
        images, batch = iter(sources), target.shape[0]
        for value, walks in zip(operands, walked):
            if value.is_weight:
                views.append(_constant(value, result, batch))
                continue
            source = next(images)
            if not walks:
                source, refresh = _repeated(source, value, result, batch)
                before.append(refresh)
            views.append(source)

        def run(threads: int) -> None:
            for refresh in before:
                refresh(threads)
            kernel.run(views[0], views[1], target, threads)

        return run

    return planned(plan, inputs)


PAIRS: dict[str, Callable[[Node], ImageKernel]] = dict.fromkeys(_KINDS, _pair)
