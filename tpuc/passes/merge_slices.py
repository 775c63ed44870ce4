"""Lets a Slice of a Slice read the source directly.

    x[o1 : e1 : s1][o2 : e2 : s2] -> x[o1 + o2 * s1 : ... : s1 * s2]   (per axis, positive numbers)

The first one stays only if something else reads it.
"""

from __future__ import annotations

from tpuc.ir import Graph, Node, Value
from tpuc.passes.result import PassResult

__all__ = ["run"]


def run(graph: Graph) -> PassResult:
    """Merge in program order, so that chains of any length become one op."""
    count = 0
    for node in graph:
        source = node.inputs[0] if node.op == "Slice" else None
        first = source.producer if source is not None else None
        if first is None or first.op != "Slice" or first.inputs[0] is None:
            continue
        if _is_plain(first) and _is_plain(node):
            _merge(graph, first, node, first.inputs[0])
            count += 1
    if count:
        graph.remove_dead()
    return PassResult(count)


def _is_plain(node: Node) -> bool:
    """Steps are positive, and bounds are counted from the start."""
    bounds = (*node.ints("offset"), *node.ints("ends"))
    return min(node.ints("steps")) > 0 and min(bounds) >= 0


def _merge(graph: Graph, first: Node, second: Node, source: Value) -> None:
    offset, ends, steps = [], [], []
    pairs = zip(source.shape, _ranges(first, source.shape), _ranges(second, first.output.shape))
    for size, outer, inner in pairs:
        taken = outer[inner.start : inner.stop : inner.step]
        offset.append(taken.start)
        steps.append(taken.step)
        to_the_end = len(range(taken.start, size, taken.step)) == len(taken)
        ends.append(size if to_the_end else taken[-1] + 1)
    touched = (*second.ints("hasparamConvert_axes"), *first.ints("hasparamConvert_axes"))
    second.attrs.update(
        offset=tuple(offset),
        ends=tuple(ends),
        steps=tuple(steps),
        hasparamConvert_axes=tuple(dict.fromkeys(touched)),
    )
    graph.set_inputs(second, [source, *second.inputs[1:]])


def _ranges(node: Node, shape: tuple[int, ...]) -> list[range]:
    bounds = zip(node.ints("offset"), node.ints("ends"), node.ints("steps"))
    return [range(*slice(*b).indices(size)) for size, b in zip(shape, bounds)]
