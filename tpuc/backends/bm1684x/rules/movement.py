"""Ops that move and change nothing: copies within global memory, or other names for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import Element, Shape
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
    outer = _product(target.shape[:axis])
    pitch, at = target.size // outer, 0
    start, element = e.addresses[target.name], element_of(target)
    for value in node.inputs:
        assert value is not None
        e.begin(node)
        run = value.size // outer
        copy_runs(
            e, (place_of(e, value), run), (start + at * element.size, pitch), (outer, run), element
        )
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


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


@dataclass(frozen=True)
class _Walk:
    """A result read from its operand: sizes and operand's strides, outermost first; the start."""

    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    first: int


def _joined(sizes: Sequence[int], steps: Sequence[int], first: int) -> _Walk:
    """Axes that follow one another in the operand too become one."""
    kept: list[tuple[int, int]] = []
    for size, step in zip(sizes, steps):
        if size == 1:
            continue
        if kept and kept[-1][1] == size * step:
            kept[-1] = kept[-1][0] * size, step
        else:
            kept.append((size, step))
    return _Walk(tuple(size for size, _ in kept), tuple(step for _, step in kept), first)


def _why_not_walk(walk: _Walk) -> str | None:
    if len(walk.sizes) > 4 or max(walk.sizes, default=1) > _LONGEST:
        return f"moves {list(walk.sizes)} numbers; expected 4 axes of at most {_LONGEST}"
    return None


def _follow(e: Emitter, node: Node, walk: _Walk) -> None:
    source, target = node.activations[0], node.output
    missing = 4 - len(walk.sizes)
    n, c, h, w = (*(1,) * missing, *walk.sizes)
    strides: Shape = (*(0,) * missing, *walk.steps)  # type: ignore[assignment]
    element = element_of(source)
    e.begin(node)
    place = Remote(e.addresses[source.name] + walk.first * element.size, strides)
    e.copy(place, Remote(e.addresses[target.name], dense((n, c, h, w))), (n, c, h, w), element)


def _steps_of(shape: tuple[int, ...]) -> list[int]:
    return [_product(shape[i + 1 :]) for i in range(len(shape))]


def _permuted(node: Node) -> _Walk:
    steps = _steps_of(node.activations[0].shape)
    return _joined(node.output.shape, [steps[i] for i in node.ints("order")], 0)


def _covers_permute(node: Node) -> str | None:
    return why_not_alike(node) or _why_not_walk(_permuted(node))


def _permute(e: Emitter, node: Node) -> None:
    _follow(e, node, _permuted(node))


def _slices(node: Node) -> list[tuple[int, int]]:
    """(start, step) along each axis of the operand."""
    shape = node.activations[0].shape
    found = [(0, 1)] * len(shape)
    axes = node.ints("axes") or tuple(range(len(node.ints("offset"))))
    for axis, start, step in zip(axes, node.ints("offset"), node.ints("steps")):
        size = shape[axis]
        found[axis] = (start + size if start < 0 else min(start, size)), step
    return found


def _sliced(node: Node) -> _Walk:
    steps = _steps_of(node.activations[0].shape)
    places = _slices(node)
    first = sum(start * step for (start, _), step in zip(places, steps))
    return _joined(node.output.shape, [s * step for (_, s), step in zip(places, steps)], first)


def _covers_slice(node: Node) -> str | None:
    if any(v is not None for v in node.inputs[1:]):
        return "its places are an operand"
    wrong = why_not_same(node)
    if wrong is None and min(step for _, step in _slices(node)) < 1:
        return f"steps are {list(node.ints('steps'))}"
    return wrong or _why_not_walk(_sliced(node))


def _slice(e: Emitter, node: Node) -> None:
    _follow(e, node, _sliced(node))


def _covers_upsample(node: Node) -> str | None:
    if len(node.activations[0].shape) != 4:
        return f"its input has shape {list(node.activations[0].shape)}"
    n, c, h, w = node.activations[0].shape
    return why_not_alike(node) or _why_not_walk(_Walk((n * c, h, w), (h * w, w, 1), 0))


def _upsample(e: Emitter, node: Node) -> None:
    """The whole picture once for each pixel that one becomes."""
    source, target = node.activations[0], node.output
    n, c, h, w = source.shape
    down, right = node.integer("scale_h"), node.integer("scale_w")
    element = element_of(source)
    shape = 1, n * c, h, w
    row = w * right
    strides = n * c * h * down * row, h * down * row, down * row, right
    e.begin(node)
    for start in (i * row + j for i in range(down) for j in range(right)):
        place = Remote(e.addresses[target.name] + start * element.size, strides)
        e.copy(Remote(e.addresses[source.name], dense(shape)), place, shape, element)


RULES = {
    **dict.fromkeys(ALIASES, Rule(why_not_alike, _view)),
    "Concat": Rule(_why_not_joined, _concat),
    "Permute": Rule(_covers_permute, _permute),
    "Upsample": Rule(_covers_upsample, _upsample),
    "Slice": Rule(_covers_slice, _slice),
}
