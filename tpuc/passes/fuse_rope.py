"""Recognises rotary embedding of neighbouring pairs, which exporters write as some fifteen ops.

    Add(Mul(x, cos), Mul(turned(x), sin))                              -> Rope(x, sin, cos)
    Concat(x[.., :p, :], Add(Mul(y, cos), Mul(turned(y), sin))), y = x[.., p:, :]  -> the same

`turned` swaps the numbers of each pair and negates the first. Which op moves them how does not
matter: the places that numbers come from are followed. The first p rows get the angle 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Graph, Node, Value
from tpuc.passes.edit import only_user, replace_node, weight
from tpuc.passes.result import PassResult

__all__ = ["run"]

_END = np.iinfo(np.int64).max


def run(graph: Graph) -> PassResult:
    """Fuse each embedding, under its last op's name; a row kept aside belongs to it."""
    count = 0
    for op, rule in (("Concat", _with_rows_aside), ("Add", _alone)):
        for node in graph:
            count += node.op == op and rule(graph, node)
        graph.remove_dead()
    return PassResult(count)


def _with_rows_aside(graph: Graph, node: Node) -> bool:
    rank = len(node.output.shape)
    if len(node.activations) != 2 or node.integer("axis") % rank != rank - 2:
        return False
    aside, turned = node.activations
    add = turned.producer
    if add is None or add.op != "Add" or only_user(graph, turned) is not node:
        return False
    return _fuse(graph, node, add, aside)


def _alone(graph: Graph, node: Node) -> bool:
    return _fuse(graph, node, node, None)


def _fuse(graph: Graph, last: Node, add: Node, aside: Value | None) -> bool:
    """`last` as a Rope, if `add` is what such an embedding ends with."""
    terms = [_product(graph, v) for v in add.activations]
    if len(terms) != 2 or None in terms or last.flag("do_relu") or add.flag("do_relu"):
        return False
    for (plain, cos), (turned, sin) in (terms, terms[::-1]):  # type: ignore[misc]
        source = plain
        if aside is not None:
            maker = plain.producer
            source = maker.inputs[0] if maker is not None and maker.op == "Slice" else None
        if source is None or source.shape != last.output.shape or len(source.shape) < 3:
            continue
        rows = 0 if aside is None else aside.shape[-2]
        if _is_embedding(source, rows, aside, plain, turned):
            _replace(graph, last, source, rows, (sin, cos))
            return True
    return False


def _product(graph: Graph, value: Value) -> tuple[Value, Value] | None:
    """(x, factors) of a product with constants, by row and column."""
    node = value.producer
    if node is None or node.op != "Mul" or node.flag("do_relu") or len(node.inputs) != 2:
        return None
    constants = [v for v in node.inputs if v is not None and v.data is not None]
    if len(constants) != 1 or len(node.activations) != 1 or only_user(graph, value) is None:
        return None
    factors, rows = constants[0], node.activations[0].shape[-2:]
    return (node.activations[0], factors) if factors.size == np.prod(rows) else None


def _is_embedding(
    source: Value, rows: int, aside: Value | None, plain: Value, turned: Value
) -> bool:
    places = np.arange(1, 1 + np.prod(source.shape)).reshape(source.shape)
    swapped = np.empty_like(places)
    swapped[..., 0::2], swapped[..., 1::2] = -places[..., 1::2], places[..., 0::2]
    wanted = [(plain, places[..., rows:, :]), (turned, swapped[..., rows:, :])]
    wanted += [(aside, places[..., :rows, :])] if aside is not None else []
    found = [(_places(value, source, places), array) for value, array in wanted]
    return all(f is not None and np.array_equal(f, array) for f, array in found)


def _replace(
    graph: Graph, last: Node, source: Value, rows: int, factors: tuple[Value, Value]
) -> None:
    shape = (*(1,) * (len(source.shape) - 2), *source.shape[-2:])
    operands = []
    for index, (value, angle_0) in enumerate(zip(factors, (0.0, 1.0))):
        assert value.data is not None
        whole = np.full(shape, angle_0, np.float32)
        whole[..., rows:, :] = value.data.reshape(shape[-2] - rows, shape[-1])
        operands.append(weight(f"{last.name}_weight{index}", whole))
    replace_node(graph, last, "Rope", [source, *operands])


def _places(value: Value, source: Value, places: np.ndarray) -> np.ndarray | None:
    """Where in `source` each number of `value` is from, negative where it is negated.

    Parameters
    ----------
    places : array of int64
        Those of `source` itself, from 1 on.
    """
    if value is source or _same_turn(value, source):
        return places
    node = value.producer
    move = _MOVES.get(node.op) if node is not None else None
    if node is None or move is None or not node.activations or node.flag("do_relu"):
        return None
    if any(v is not None and v.data is not None for v in node.inputs):
        return None
    parts = [_places(v, source, places) for v in node.activations]
    return None if any(p is None for p in parts) else move(node, parts)  # type: ignore[arg-type]


def _same_turn(value: Value, source: Value) -> bool:
    """Whether both are the same Permute of one value."""
    a, b = value.producer, source.producer
    if a is None or b is None or a.op != "Permute" or b.op != "Permute":
        return False
    return a.inputs[0] is b.inputs[0] and a.ints("order") == b.ints("order")


def _slice(node: Node, x: np.ndarray) -> np.ndarray:
    cut = [slice(None)] * x.ndim
    bounds = zip(node.ints("offset"), node.ints("ends"), node.ints("steps"))
    for axis, (start, end, step) in zip(node.ints("axes") or range(x.ndim), bounds):
        cut[axis] = slice(start, None if end >= _END else end, step)
    return x[tuple(cut)]


def _negated(node: Node, x: np.ndarray) -> np.ndarray | None:
    return -x if node.number("const_val") == -1.0 else None


_MOVES: dict[str, Callable[[Node, list[np.ndarray]], np.ndarray | None]] = {
    **dict.fromkeys(
        ["Reshape", "Squeeze", "Unsqueeze"], lambda node, x: x[0].reshape(node.output.shape)
    ),
    "Slice": lambda node, x: _slice(node, x[0]),
    "MulConst": lambda node, x: _negated(node, x[0]),
    "Concat": lambda node, x: np.concatenate(x, node.integer("axis")),
}
