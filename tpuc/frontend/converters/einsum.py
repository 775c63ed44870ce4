"""Einsum of one or two operands, as moves, sums and one product.

    out[batch, left, right] = sum of x[batch, left, shared] y[batch, shared, right] over `shared`

Letters of one operand alone that the result lacks are summed first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["einsum"]


@dataclass(frozen=True)
class _Term:
    """A value and the letters of its axes."""

    value: Value
    letters: str

    def size(self, letters: str) -> int:
        return math.prod(self.value.shape[self.letters.index(c)] for c in letters)


class _Builder:
    """Emits ops of one node, named after it."""

    def __init__(self, context: Context, node: OnnxNode) -> None:
        self.context, self.node, self.count = context, node, 0

    def name(self) -> str:
        self.count += 1
        return f"{self.node.name}_{self.count}"

    def summed(self, term: _Term, keep: str) -> _Term:
        """Without the axes whose letters are not in `keep`."""
        axes = tuple(i for i, c in enumerate(term.letters) if c not in keep)
        left = "".join(c for c in term.letters if c in keep)
        if not axes:
            return term
        if term.value.data is not None:
            made = self.context.weight(self.name(), term.value.data.sum(axes))
            return _Term(made, left)
        attrs: dict[str, Attr] = {"axes": axes, "keepdims": False, "mode": "ReduceSum"}
        return _Term(self.context.emit(self.node, "Reduce", [term.value], attrs, self.name()), left)

    def ordered(self, term: _Term, letters: str) -> _Term:
        order = tuple(term.letters.index(c) for c in letters)
        if order == tuple(range(len(order))):
            return term
        if term.value.data is not None:
            moved = np.ascontiguousarray(term.value.data.transpose(order))
            return _Term(self.context.weight(self.name(), moved), letters)
        attrs = {"order": order}
        made = self.context.emit(self.node, "Permute", [term.value], attrs, self.name())
        return _Term(made, letters)

    def shaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        if value.shape == shape:
            return value
        if value.data is not None:
            return self.context.weight(self.name(), value.data.reshape(shape))
        return self.context.emit(self.node, "Reshape", [value], {"shape": shape}, self.name())


@converts("Einsum")
def einsum(context: Context, node: OnnxNode) -> None:
    """Einsum without repeated letters in an operand."""
    parts, out = _parsed(node)
    build = _Builder(context, node)
    terms = [_Term(context.value(node, i), letters) for i, letters in enumerate(parts)]
    for term in terms:
        if len(term.letters) != len(term.value.shape):
            raise UnsupportedError(f"{node}: '{term.letters}' for an input of {term.value.shape}")
    if len(terms) == 1:
        result = build.ordered(build.summed(terms[0], out), out)
    else:
        x, y = terms
        x, y = build.summed(x, out + y.letters), build.summed(y, out + x.letters)
        result = build.ordered(_product(build, x, y, out), out)
    context.bind(node, result.value, False)


def _parsed(node: OnnxNode) -> tuple[list[str], str]:
    text = str(node.attrs["equation"]).replace(" ", "")
    left, arrow, out = text.partition("->")
    parts = left.split(",")
    if not arrow:
        out = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    repeated = any(len(set(p)) != len(p) for p in (*parts, out))
    if "." in text or repeated or len(parts) != len(node.inputs) or len(parts) > 2:
        raise UnsupportedError(
            f"{node}: equation '{text}'; expected one or two operands without '...' and without a "
            "letter twice in one"
        )
    return parts, out


def _product(build: _Builder, x: _Term, y: _Term, out: str) -> _Term:
    both = "".join(c for c in x.letters if c in y.letters)
    batch, shared = "".join(c for c in both if c in out), "".join(c for c in both if c not in out)
    left = "".join(c for c in x.letters if c not in both)
    right = "".join(c for c in y.letters if c not in both)
    if x.value.data is not None:  # products take a constant on the right
        x, y, left, right = y, x, right, left
    if not shared:
        return _spread(build, (x, y), (batch, left, right))
    head = tuple(x.size(c) for c in batch)
    rows, terms, columns = x.size(left), x.size(shared), y.size(right)
    a = build.shaped(build.ordered(x, batch + left + shared).value, (*head, rows, terms))
    b = build.shaped(build.ordered(y, batch + shared + right).value, (*head, terms, columns))
    context, node = build.context, build.node
    made = context.emit(node, "MatMul", [a, b, None], name=build.name())
    shape = (*head, *(x.size(c) for c in left), *(y.size(c) for c in right))
    return _Term(build.shaped(made, shape), batch + left + right)


def _spread(build: _Builder, pair: tuple[_Term, _Term], letters: tuple[str, str, str]) -> _Term:
    """Nothing is summed: a product with axes of length 1 where an operand has no letter."""
    x, y = pair
    whole = "".join(letters)
    shapes = [tuple(t.size(c) if c in t.letters else 1 for c in whole) for t in pair]
    values = [
        build.shaped(build.ordered(t, "".join(c for c in whole if c in t.letters)).value, shape)
        for t, shape in zip((x, y), shapes)
    ]
    made = build.context.emit(build.node, "Mul", values, name=build.name())
    return _Term(made, whole)
