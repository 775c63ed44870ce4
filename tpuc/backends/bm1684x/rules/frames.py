"""Ops whose results depend on the numbers at the same place only: parts of any shape.

What such an op is, is a function of operands in local memory; how much room it needs is found by
trying it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import LANE_BYTES, LANES, Element, Local, Shape
from tpuc.backends.bm1684x.emitter import Emitter, NoRoom, Remote, dense, element_of
from tpuc.backends.bm1684x.floats import stored
from tpuc.backends.bm1684x.rules.axes import Part, joint_axes, parts_of
from tpuc.backends.bm1684x.rules.rule import InBands, Rule, Step, near, same_rows, shape_of
from tpuc.backends.bm1684x.tiling import Band
from tpuc.ir import Node, Value

__all__ = ["Compute", "Probe", "framed", "place_of", "why_not_shapes"]

Compute = Callable[[Emitter, Node, Sequence[Local]], Local]
_PROBE = 1024  # numbers in each lane of the trial
_FIXED = 1024  # bytes of a lane for what does not grow with them


def place_of(e: Emitter, value: Value) -> int:
    """Address of a tensor in global memory; constants get theirs now."""
    if value.data is None:
        return e.addresses[value.name]
    return e.constant(stored(value.data, value.dtype))


def why_not_shapes(node: Node) -> str | None:
    """Why operands can not be repeated to the result."""
    shape = node.output.shape
    for value in node.inputs:
        if value is None:
            return "an operand is missing"
        own = (1,) * (len(shape) - len(value.shape)) + value.shape
        if len(own) != len(shape) or any(n not in (1, m) for n, m in zip(own, shape)):
            shapes = [list(v.shape) for v in node.inputs if v is not None]
            return f"operands have shapes {shapes}"
    return None


@dataclass(frozen=True)
class _Framed:
    compute: Compute

    def emit(self, e: Emitter, node: Node) -> None:
        """Operands from global memory, in parts."""
        values = [v for v in node.inputs if v is not None]
        kinds = [element_of(v) for v in (node.output, *values)]
        axes = joint_axes(node.output.shape, [v.shape for v in values])
        e.begin(node)
        bases = [e.addresses[node.output.name], *(place_of(e, v) for v in values)]
        longest = e.longest(self._bytes_each(node, values))
        for part in parts_of(axes, longest):
            e.begin(node)
            far = [
                Remote(base + first * kind.size, steps)
                for base, first, kind, steps in zip(bases, part.firsts, kinds, part.steps)
            ]
            operands = [_loaded(e, f, part, v) for f, v in zip(far[1:], values)]
            e.store(self.compute(e, node, operands), far[0])

    def whole(self, e: Emitter, node: Node, stays: bool) -> None:
        """All at once, where the operands are."""
        shape = shape_of(node.output)
        operands = []
        for value in node.inputs:
            assert value is not None
            operands.append(_fetched(e, node, value, shape))
        e.finish(node.output, self.compute(e, node, operands), stays)

    def start(self, e: Emitter, node: Node, _: bool) -> Step:
        """Operands of the shape of the result, some rows at a time."""
        for value in node.inputs:
            if value is None or value.data is not None or value.shape != node.output.shape:
                raise NoRoom(f"{node}: has operands that are repeated or constant")

        def run(operands: Sequence[Local | Remote], band: Band) -> Local:
            return self.compute(e, node, near(operands))

        return Step(run)

    def _bytes_each(self, node: Node, values: Sequence[Value]) -> int:
        """Bytes of a lane for each number of the result, with all that is computed between."""
        probe = Probe({})
        probe.begin(node)
        shape = 1, LANES, 1, _PROBE
        operands = [probe.take(shape, element_of(v)) for v in values]
        for value in values:
            if value.shape != node.output.shape:  # once as it is, once repeated
                probe.take(shape, element_of(value))
        self.compute(probe, node, operands)
        return -(-max(probe.most - _FIXED, _PROBE) // _PROBE)


class Probe(Emitter):
    """Counts the bytes of each lane that are taken at one time."""

    most = 0

    def take(self, shape: Shape, element: Element) -> Local:
        """As for real."""
        place = super().take(shape, element)
        self.most = max(self.most, LANE_BYTES - self.room)
        return place


def _loaded(e: Emitter, far: Remote, part: Part, value: Value) -> Local:
    """An operand's part; what it has once for a row or a picture is repeated."""
    element, steps = element_of(value), far.strides
    n, c, h, w = part.shape
    rows, columns = h if steps[2] else 1, w if steps[3] else 1
    small = e.take((n, c, rows, columns), element)
    if columns > 1:
        e.load(far, small)
    else:  # numbers of a column lie behind one another here
        column = Local(small.address, (n, c, 1, rows), element)
        e.load(Remote(far.address, (0, steps[1], 1, steps[2] or 1)), column)
    if small.shape == part.shape:
        return small
    full = e.take(part.shape, element)
    tiu_float.spread(e, full, small)
    return full


def _fetched(e: Emitter, node: Node, value: Value, shape: Shape) -> Local:
    if value.shape != node.output.shape:
        raise NoRoom(f"{node}: repeats '{value.name}' {list(value.shape)}")
    if value.data is None:
        return e.fetch(value, shape)
    place = e.take(shape, element_of(value))
    e.load(Remote(place_of(e, value), dense(shape)), place)
    return place


def framed(covers: Callable[[Node], str | None], compute: Compute) -> Rule:
    """A rule of such an op."""
    frame = _Framed(compute)
    return Rule(covers, frame.emit, frame.whole, InBands(frame.start, same_rows))
