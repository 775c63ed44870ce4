"""One head of attention in short floats, all of it in local memory.

q, k, v = round(x w + b);  p = q k^T * scale + mask, float32;  a = round(softmax(p))
y = round(round(a v) wo + bo)

Rows of all matrices lie in the lanes.
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, LANES, Element, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.floats import stored
from tpuc.backends.bm1684x.rules.along import soft_maximum
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import DType, Node

__all__ = ["RULES"]

_X, _QUERY, _KEY, _VALUE, _OUT, _MASK = 0, 3, 5, 7, 9, 11


def _covers(node: Node) -> str | None:
    kind = node.output.dtype
    if kind not in (DType.F16, DType.BF16):
        return f"is {kind}"
    if len(node.output.shape) != 3:
        return f"its result has shape {list(node.output.shape)}"
    if any(v is not None for v in node.inputs[1:3]):
        return "keys or values come from elsewhere"
    for value in node.inputs[_QUERY:_MASK]:
        if value is not None and value.data is None:
            return f"operand '{value.name}' is computed"
    for value in node.activations:
        if value.dtype != kind:
            return f"tensor '{value.name}' is {value.dtype}"
    return None


def _matrix(e: Emitter, array: np.ndarray, dtype: DType, element: Element) -> Local:
    """A constant matrix, a row in each lane."""
    rows, width = array.shape
    place = e.take((1, rows, 1, width), element)
    e.load(Remote(e.constant(stored(array, dtype)), (0, width, 0, 1)), place)
    return place


def _row(e: Emitter, array: np.ndarray) -> Local:
    """The same float32 numbers in each lane."""
    flat = np.ascontiguousarray(array.reshape(-1), "<f4")
    place = e.take((1, LANES, 1, flat.size), F32)
    e.load(Remote(e.constant(flat), (0, 0, 0, 1)), place)
    return place


class _Head:
    """Constants of a head in local memory, and its steps."""

    def __init__(self, e: Emitter, node: Node) -> None:
        self.e, self.node = e, node
        self.element = element_of(node.output)
        self.weights = [
            _matrix(e, node.weight(i), node.output.dtype, self.element)
            for i in (_QUERY, _KEY, _VALUE, _OUT)
        ]
        biases = [node.inputs[i + 1] for i in (_QUERY, _KEY, _VALUE, _OUT)]
        self.biases = [None if b is None or b.data is None else _row(e, b.data) for b in biases]

    def line(self, x: Local, which: int) -> Local:
        """round(x w + b)."""
        e, w, b = self.e, self.weights[which], self.biases[which]
        shape: Shape = 1, x.shape[1], 1, w.shape[3]
        y = e.take(shape, self.element)
        with e.scope():
            sums = e.take(shape, F32)
            tiu_float.multiply_rows(e, sums, x, w)
            if b is not None:
                tiu_float.combine(e, "add", sums, sums, b)
            tiu_float.convert(e, y, sums)
        return y

    def shares(self, q: Local, k: Local, mask: Local | None) -> Local:
        """round(softmax(q k^T * scale + mask))."""
        e = self.e
        shape: Shape = 1, q.shape[1], 1, k.shape[1]
        y = e.take(shape, self.element)
        with e.scope():
            p, made = e.take(shape, F32), e.take(shape, F32)
            tiu_float.multiply_rows(e, p, q, k, turned=True)
            tiu_float.combine(e, "mul", p, p, self.node.number("scale"))
            if mask is not None:
                tiu_float.combine(e, "add", p, p, mask)
            soft_maximum(e, made, p)
            tiu_float.convert(e, y, made)
        return y


def _emit(e: Emitter, node: Node) -> None:
    batch, tokens, width = node.output.shape
    depth = node.activations[0].shape[2]
    e.begin(node)
    head = _Head(e, node)
    source = e.remote(node.activations[0], (batch, tokens, 1, depth))
    target = e.remote(node.output, (batch, tokens, 1, width))
    for n in range(batch):
        with e.scope():
            x = e.take((1, tokens, 1, depth), head.element)
            e.load(source.at((n, 0, 0, 0), head.element), x)
            mask = _mask(e, node, head.element, (n, tokens))
            shares = head.shares(head.line(x, 0), head.line(x, 1), mask)
            value = head.line(x, 2)
            mixed = e.take((1, tokens, 1, value.shape[3]), head.element)
            tiu_float.multiply_rows(e, mixed, shares, value)
            y = head.line(mixed, 3)
            e.store(y, target.at((n, 0, 0, 0), head.element))


def _mask(e: Emitter, node: Node, element: Element, at: tuple[int, int]) -> Local | None:
    value = node.inputs[_MASK] if len(node.inputs) > _MASK else None
    if value is None:
        return None
    batch, tokens = at
    short, wide = (e.take((1, LANES, 1, tokens), kind) for kind in (element, F32))
    start = e.addresses[value.name] + batch * tokens * element.size
    e.load(Remote(start, (0, 0, 0, 1)), short)
    tiu_float.convert(e, wide, short)
    return wide


RULES = {"Attention": Rule(_covers, _emit)}
