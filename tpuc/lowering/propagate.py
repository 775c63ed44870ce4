"""Makes ranges agree along the graph, before types are chosen.

`steps` is the whole story, in TPU-MLIR's order; each step changes the ranges in place. A step
touches a tensor only where both ends have a range.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tpuc.ir import Graph, Node, Value
from tpuc.lowering.ranges import Ranges
from tpuc.processors import FLOAT, Processor

__all__ = ["propagate", "steps"]

_KEEP_SIGN = {"AvgPool", "MaxPool", "Abs"}
_BACKWARD = {"Relu", "MaxPool", "Depth2Space", "Abs"}
_FORWARD = {
    *("Relu MaxPool MinConst MaxConst Reshape Unsqueeze Squeeze Slice Tile Pad Permute").split(),
    *["Upsample", "LeakyRelu", "Abs", "PRelu", "Depth2Space"],
}
_MOVES = {"Reshape", "Permute", "Depth2Space"}


def propagate(graph: Graph, ranges: Ranges, processor: Processor = FLOAT) -> Ranges:
    """Run all steps on a copy."""
    settled = dict(ranges)
    for step in steps(processor):
        step(graph, settled)
    return settled


def _ends(node: Node, ranges: Ranges) -> tuple[str, str] | None:
    """(input name, output name) if both have a range."""
    if not node.inputs or node.inputs[0] is None:
        return None
    source, out = node.inputs[0].name, node.output.name
    return (source, out) if source in ranges and out in ranges else None


def _single(graph: Graph, value: Value) -> bool:
    return len(value.uses) == 1 and not any(value is v for v in graph.outputs)


def _forward_moves(graph: Graph, ranges: Ranges) -> None:
    for node in graph.nodes:
        ends = _ends(node, ranges) if node.op in ("Reshape", "Permute") else None
        if ends:
            ranges[ends[1]] = ranges[ends[0]]


def _keep_sign(graph: Graph, ranges: Ranges) -> None:
    """A pool's output is signed exactly if its input is."""
    for node in graph.nodes:
        ends = _ends(node, ranges)
        if ends is None:
            continue
        source, out = ranges[ends[0]], ranges[ends[1]]
        if node.op in _KEEP_SIGN:
            if source[0] < 0 <= out[0]:
                ranges[ends[1]] = (-out[1] * 0.1, out[1])
            elif source[0] >= 0 > out[0]:
                ranges[ends[1]] = (0.0, out[1])
        elif node.op == "SubConst" and source[0] >= 0 and out[0] >= 0:
            ranges[ends[1]] = (-out[1] * 0.1, out[1])


def _mul_sub_sign(graph: Graph, ranges: Ranges) -> None:
    """A product of signed operands is signed; a difference always is."""
    for node in graph.nodes:
        out = node.output.name
        if out not in ranges or any(v.name not in ranges for v in node.activations):
            continue
        low, high = ranges[out]
        if node.op == "Mul" and len(node.activations) == 2:
            signs = {ranges[v.name][0] < 0 for v in node.activations}
            if signs == {True} and low >= 0:
                ranges[out] = (-high * 0.1, high)
        elif node.op == "Sub" and low >= 0:
            ranges[out] = (-high * 0.1, high)


def _unify(graph: Graph, ranges: Ranges) -> None:
    """Operands of Concat, Min and Max that serve nothing else take the output's range.

    From the end on, so that a Concat of Concats gives its range to all of them.
    """
    for node in reversed(graph.nodes):
        if node.op not in ("Concat", "Min", "Max") or node.output.name not in ranges:
            continue
        operands = [v for v in node.inputs if v is not None]
        if any(v.name not in ranges for v in operands):
            continue
        if not all(_only_here(graph, v, node) for v in operands):
            continue
        signs = {ranges[v.name][0] < 0 for v in operands}
        if node.op == "Concat" and len(signs) > 1:
            continue
        spans = {ranges[v.name] for v in operands}
        if len(spans) == 1:
            ranges[node.output.name] = spans.pop()
            continue
        for value in operands:
            _set_through(value, ranges[node.output.name], ranges)


def _only_here(graph: Graph, value: Value, node: Node) -> bool:
    if any(value is v for v in graph.outputs):
        return False
    return all(user is node or user.op == "MaxPool" for user in value.users)


def _set_through(value: Value, span: tuple[float, float], ranges: Ranges) -> None:
    """Set a tensor's range, and that of what it moves; not further, whatever stands there."""
    ranges[value.name] = span
    maker = value.producer
    source = maker.inputs[0] if maker is not None and maker.op in _MOVES else None
    if source is not None and len(source.uses) == 1 and source.name in ranges:
        ranges[source.name] = span


def _backward(graph: Graph, ranges: Ranges, processor: Processor) -> None:
    """A single-use input takes the range of an op that only selects or cuts values."""
    slopes = ("LeakyRelu", "PRelu") if processor.unsigned else ("LeakyRelu",)
    for node in graph.nodes:
        ends = _ends(node, ranges)
        if ends is None or node.inputs[0] is None or not _single(graph, node.inputs[0]):
            continue
        if node.op in _BACKWARD:
            ranges[ends[0]] = ranges[ends[1]]
        elif node.op in slopes:
            high = ranges[ends[1]][1]
            ranges[ends[0]] = (ranges[ends[0]][0] if processor.unsigned else -high, high)


def _add_of_muls(graph: Graph, ranges: Ranges) -> None:
    """Muls that only feed one Add share its range."""
    for node in graph.nodes:
        if node.op != "Add" or node.output.name not in ranges:
            continue
        operands = [v for v in node.inputs if v is not None]
        muls = [
            v.producer is not None and v.producer.op == "Mul" and _single(graph, v)
            for v in operands
        ]
        if all(muls) and all(v.name in ranges for v in operands):
            for value in operands:
                ranges[value.name] = ranges[node.output.name]


def _forward(graph: Graph, ranges: Ranges, processor: Processor) -> None:
    """Ops that move or select values keep their input's range; MulConst scales it."""
    forward = _FORWARD | ({"AvgPool"} if processor.average == "reciprocal" else set())
    forward -= set() if processor.unsigned else {"PRelu"}
    for node in graph.nodes:
        ends = _ends(node, ranges)
        if ends is None:
            continue
        low, high = ranges[ends[0]]
        reduce_max = node.op == "Reduce" and node.attrs["mode"] in ("ReduceMax", "ReduceMin")
        if node.op in forward or reduce_max:
            ranges[ends[1]] = (low, high)
        elif node.op == "MulConst" and not node.attrs.get("do_relu"):
            factor = node.number("const_val")
            span = (low * factor, high * factor)
            ranges[ends[1]] = (min(span), max(span))


def steps(processor: Processor) -> list[Callable[[Graph, Ranges], None]]:
    """What is done, in this order."""
    found: list[Callable[[Graph, Ranges], None]] = [
        _forward_moves,
        _keep_sign,
        _mul_sub_sign,
        _unify,
        partial(_backward, processor=processor),
        _add_of_muls,
        partial(_forward, processor=processor),
        _keep_sign,
    ]
    if not processor.unsigned:
        found.remove(_add_of_muls)
    return found
