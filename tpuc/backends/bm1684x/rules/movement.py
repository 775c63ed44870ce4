"""Ops that move and change nothing: copies within global memory, or other names for it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tpuc.backends.bm1684x.command import Element
from tpuc.backends.bm1684x.emitter import Emitter, Remote, dense, element_of, pieces
from tpuc.backends.bm1684x.rules.frames import place_of
from tpuc.backends.bm1684x.rules.rule import KEPT, Rule
from tpuc.ir import Node

__all__ = ["ALIASES", "RULES", "copy_runs", "why_not_alike", "why_not_same"]

ALIASES = ("Reshape", "Squeeze", "Unsqueeze")
_LONGEST = 65535


def why_not_same(node: Node) -> str | None:
    """Why operands and result are not the same numbers."""
    if node.flag("do_relu"):
        return "do_relu is true"
    for value in node.activations:
        if value.dtype != node.output.dtype:
            return f"moves {value.dtype} to {node.output.dtype}"
    if node.output.dtype not in KEPT:
        return f"tensor '{node.output.name}' is {node.output.dtype}"
    return None


def why_not_alike(node: Node) -> str | None:
    """The same, and that all of them are computed."""
    if len(node.activations) != len(node.inputs):
        return "an operand is a constant"
    return why_not_same(node)


def _why_not_joined(node: Node) -> str | None:
    """The same, constants among them."""
    for value in node.inputs:
        if value is None or value.dtype != node.output.dtype:
            return f"joins {value and value.dtype} to {node.output.dtype}"
    return why_not_same(node)


def _view(e: Emitter, node: Node) -> None:
    """Only for an output of the network: all others share the place of their operand."""
    source, target = node.activations[0], node.output
    element = element_of(source)
    for start, lanes, width in pieces(source.size, _LONGEST):
        e.begin(node)
        shape = 1, lanes, 1, width
        at = start * element.size
        e.copy(
            Remote(e.addresses[source.name] + at, dense(shape)),
            Remote(e.addresses[target.name] + at, dense(shape)),
            shape,
            element,
        )


def _concat(e: Emitter, node: Node) -> None:
    """Each operand is `outer` runs of numbers that follow one another in the result."""
    target = node.output
    axis = node.integer("axis") % len(target.shape)
    outer = math.prod(target.shape[:axis])
    pitch, at = target.size // outer, 0
    start, element = e.addresses[target.name], element_of(target)
    for value in node.inputs:
        assert value is not None
        e.begin(node)
        run, there = value.size // outer, start + at * element.size
        here = place_of(e, value)
        if here != there:  # or it was made where it belongs
            copy_runs(e, (here, run), (there, pitch), (outer, run), element)
        at += run


def copy_runs(
    e: Emitter,
    source: tuple[int, int],
    target: tuple[int, int],
    size: tuple[int, int],
    element: Element,
) -> None:
    """`size`: count and length of runs; of both sides the address, and numbers between runs."""
    count, length = size
    for first, rows in _parts(count):
        for start, lanes, width in pieces(length, _LONGEST):
            sides = [
                Remote(at + (first * pitch + start) * element.size, (pitch, width, width, 1))
                for at, pitch in (source, target)
            ]
            e.copy(sides[0], sides[1], (rows, lanes, 1, width), element)


def _parts(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, _LONGEST):
        yield first, min(_LONGEST, count - first)


RULES = {
    **dict.fromkeys(ALIASES, Rule(why_not_alike, _view)),
    "Concat": Rule(_why_not_joined, _concat),
}
