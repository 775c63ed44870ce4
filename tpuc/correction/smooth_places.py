"""Where SmoothQuant can move a scale: what makes an activation, and the products that read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.ir import Graph, Node, Value

__all__ = ["NORMS", "Place", "operand_of", "place_of"]

NORMS = ("LayerNorm", "RMSNorm")
_KEEPING = ("Reshape", "Squeeze", "Unsqueeze", "Permute")


@dataclass
class Place:
    """Where a scale can go.

    Parameters
    ----------
    source : Node
        Takes 1 / s: normalization, Mul, or MatMul.
    readers : list of Node
        MatMuls that take s.
    apart : bool
        Others read the source too: a factor is inserted in front of the readers.
    """

    source: Node
    readers: list[Node]
    apart: bool = False


def operand_of(node: Node) -> Value:
    """What a product reads."""
    value = node.inputs[0]
    assert value is not None
    return value


def place_of(graph: Graph, node: Node) -> Place | None:
    """The place that begins at `node`, if one does."""
    if node.op == "MatMul":
        reader = _projection(graph, node)
        return Place(node, [reader]) if reader is not None else None
    if not _takes_scale(node):
        return None
    readers, others = _products(node.output)
    if not readers or any(v is node.output for v in graph.outputs):
        return None
    if others and (node.op not in NORMS or not all(operand_of(r) is node.output for r in readers)):
        return None
    return Place(node, readers, bool(others))


def _takes_scale(node: Node) -> bool:
    """A normalization over the last axis, or a product with a constant of that axis."""
    width = node.output.shape[-1] if node.output.shape else 0
    if node.op in NORMS:
        last = node.op == "RMSNorm" or node.integer("axis") % len(node.output.shape) == (
            len(node.output.shape) - 1
        )
        return last and all(v is None or v.data is not None for v in node.inputs[1:])
    if node.op != "Mul" or len(node.inputs) != 2 or node.attrs.get("do_relu"):
        return False
    factor = node.inputs[1]
    return factor is not None and factor.data is not None and factor.shape[-1:] == (width,)


def _products(value: Value) -> tuple[list[Node], bool]:
    """MatMuls that multiply `value` by a constant, through moves; whether others read it."""
    found: list[Node] = []
    others = False
    for user in value.users:
        if _is_product(user, value):
            found.append(user)
        elif _keeps_last(user):
            deeper, more = _products(user.output)
            found += deeper
            others |= more or not deeper
        else:
            others = True
    return found, others


def _is_product(node: Node, value: Value) -> bool:
    if node.op != "MatMul" or node.inputs[0] is not value or node.flag("left_transpose"):
        return False
    weight = node.inputs[1]
    return weight is not None and weight.data is not None and weight.data.ndim == 2


def _keeps_last(node: Node) -> bool:
    if node.op not in _KEEPING or not node.output.shape:
        return False
    before, after = operand_of(node).shape, node.output.shape
    if node.op == "Permute":
        return node.ints("order")[-1] == len(before) - 1
    return before[-1:] == after[-1:]


def _projection(graph: Graph, node: Node) -> Node | None:
    """The product behind attention that reads exactly the channels that `node` makes."""
    if not _is_product(node, operand_of(node)) or node.attrs.get("do_relu"):
        return None
    channels = np.broadcast_to(np.arange(node.output.shape[-1]), node.output.shape)
    value, seen = _moved(graph, node.output, channels)
    mixing = value.users[0] if len(value.users) == 1 else None
    if mixing is None or mixing.op != "MatMul" or mixing.inputs[1] is not value:
        return None
    if any(mixing.flag(f) for f in ("right_transpose", "output_transpose", "hdim_is_batch")):
        return None
    mixed = seen[..., :1, :]
    if not (seen == mixed).all():
        return None
    spread = np.broadcast_to(mixed, mixing.output.shape)
    value, seen = _moved(graph, mixing.output, spread)
    reader = value.users[0] if len(value.users) == 1 else None
    if reader is None or not _is_product(reader, value):
        return None
    same = seen.shape[-1] == channels.shape[-1] and (seen == np.arange(seen.shape[-1])).all()
    return reader if same else None


def _moved(graph: Graph, value: Value, channels: np.ndarray) -> tuple[Value, np.ndarray]:
    """Follow moves that alone read a value; channel numbers move along."""
    while len(value.users) == 1 and value.users[0].op in _KEEPING:
        node = value.users[0]
        if node.op == "Permute":
            channels = channels.transpose(node.ints("order"))
        value = node.output
        channels = channels.reshape(value.shape)
    return value, channels
