"""One head of attention: rows of all matrices lie in the lanes.

q, k, v = x w + b;  a = softmax(q k^T * scale + mask);  y = (a v) wo + bo

Keys and values of all tokens are made first, then the result for as many rows as fit. How each step
rounds is in `attention_floats` and `attention_bytes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tpuc.backends.bm1684x import tiu
from tpuc.backends.bm1684x.command import LANES, Local, up
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, element_of
from tpuc.backends.bm1684x.rules.attention_bytes import ByteSteps, why_not_byte_head
from tpuc.backends.bm1684x.rules.attention_floats import FloatSteps, why_not_float_head
from tpuc.backends.bm1684x.rules.attention_steps import BIASES, MASK, WEIGHTS, Steps
from tpuc.backends.bm1684x.rules.rule import Rule
from tpuc.ir import Node

__all__ = ["FLOAT_RULES", "RULES"]

_QUERY, _KEY, _VALUE, _OUT = range(4)
_Make = Callable[[Emitter, Node], Steps]


def _covers(why_not_head: Callable[[Node], str | None]) -> Callable[[Node], str | None]:
    def covers(node: Node) -> str | None:
        if len(node.output.shape) != 3:
            return f"its result has shape {list(node.output.shape)}"
        if any(v is not None for v in node.inputs[1:3]):
            return "keys or values come from elsewhere"
        for index in (*WEIGHTS, *BIASES):
            value = node.inputs[index]
            if value is not None and value.data is None:
                return f"operand '{value.name}' is computed"
        return why_not_head(node)

    return covers


def _pieces(tokens: int, most: int) -> Iterator[tuple[int, int]]:
    for first in range(0, tokens, most):
        yield first, min(most, tokens - first)


def _part(matrix: Local, first: int, count: int) -> Local:
    """Some rows of a matrix; `first` is a multiple of 64."""
    step = first // LANES * matrix.strides[1] * matrix.element.size
    return replace(matrix, address=matrix.address + step, shape=(1, count, *matrix.shape[2:]))


def _emit(make: _Make, e: Emitter, node: Node) -> None:
    most = up(node.output.shape[1], LANES)
    while True:
        try:
            with e.attempt():
                _in_parts(make, e, node, most)
                return
        except NoRoom as error:
            if most <= LANES:
                told = str(error).partition(": ")[2]
                raise NoRoom(f"{node}: {node.output.shape[1]} tokens: {told}") from error
            most = up(most // 2, LANES)


def _in_parts(make: _Make, e: Emitter, node: Node, most: int) -> None:
    """At most `most` rows of the result at a time, from global memory."""
    batch, tokens, width = node.output.shape
    depth = node.activations[0].shape[2]
    e.begin(node)
    steps = make(e, node)
    kind = element_of(node.activations[0]), element_of(node.output)
    source = e.remote(node.activations[0], (batch, tokens, 1, depth))
    target = e.remote(node.output, (batch, tokens, 1, width))
    for n in range(batch):
        with e.scope():
            keys, values = steps.take(_KEY, tokens), steps.take(_VALUE, tokens)
            if most < tokens:  # what lies between the rows of two parts is read with them
                tiu.clear(e, keys)
                tiu.clear(e, values)
            mask = steps.mask(n)
            for first, count in _pieces(tokens, most):
                with e.scope():
                    x = e.take((1, count, 1, depth), kind[0])
                    e.load(source.at((n, first, 0, 0), kind[0]), x)
                    steps.line(x, _KEY, _part(keys, first, count))
                    steps.line(x, _VALUE, _part(values, first, count))
                    if count == tokens:
                        y = _rows(steps, x, (keys, values, mask))
                        e.store(y, target.at((n, 0, 0, 0), kind[1]))
            for first, count in _pieces(tokens, most) if most < tokens else ():
                with e.scope():
                    x = e.take((1, count, 1, depth), kind[0])
                    e.load(source.at((n, first, 0, 0), kind[0]), x)
                    y = _rows(steps, x, (keys, values, mask))
                    e.store(y, target.at((n, first, 0, 0), kind[1]))


def _rows(steps: Steps, x: Local, others: tuple[Local, Local, Local | None]) -> Local:
    """The result for the rows of x."""
    keys, values, mask = others
    rows = x.shape[1]
    query = steps.take(_QUERY, rows)
    steps.line(x, _QUERY, query)
    mixed = steps.mix(steps.shares(query, keys, mask), values)
    y = steps.take(_OUT, rows)
    steps.line(mixed, _OUT, y)
    return y


def _whole(make: _Make, e: Emitter, node: Node, stays: bool) -> None:
    """All rows at once, where they are."""
    _, tokens, depth = node.activations[0].shape
    steps = make(e, node)
    x = e.fetch(node.activations[0], (1, tokens, 1, depth))
    keys, values = steps.take(_KEY, tokens), steps.take(_VALUE, tokens)
    steps.line(x, _KEY, keys)
    steps.line(x, _VALUE, values)
    e.finish(node.output, _rows(steps, x, (keys, values, steps.mask(0))), stays)


def _rule(make: _Make, why_not_head: Callable[[Node], str | None]) -> Rule:
    return Rule(
        _covers(why_not_head),
        lambda e, node: _emit(make, e, node),
        lambda e, node, stays: _whole(make, e, node, stays),
        far=(MASK,),
    )


RULES = {"Attention": _rule(ByteSteps, why_not_byte_head)}
FLOAT_RULES = {"Attention": _rule(FloatSteps, why_not_float_head)}
