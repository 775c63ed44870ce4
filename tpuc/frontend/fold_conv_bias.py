"""Lets a convolution without bias take the constant that is added to its channels.

As in `fold_batch_norm`, ONNX simplifiers do this before TPU-MLIR names anything: the convolution
keeps its name, unless the sum is an output of the model, whose name must last.
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Graph, Node, Value

__all__ = ["fold_conv_bias"]


def fold_conv_bias(graph: Graph) -> int:
    """Fold every Add of one number per channel behind a Conv that nothing else reads."""
    count = 0
    for node in graph:
        source = node.inputs[0] if node.op == "Add" and len(node.inputs) == 2 else None
        conv = source.producer if source is not None else None
        if source is None or conv is None or conv.op != "Conv" or not _has_room(conv):
            continue
        bias = _per_channel(node, conv)
        alone = len(source.uses) == 1 and not any(v is source for v in graph.outputs)
        if bias is not None and alone:
            _fold(graph, conv, node, bias)
            count += 1
    return count


def _has_room(conv: Node) -> bool:
    return len(conv.inputs) < 3 or conv.inputs[2] is None


def _per_channel(node: Node, conv: Node) -> np.ndarray | None:
    """The addend as a vector (O,), or None if it is computed or differs along other axes."""
    addend = node.inputs[1]
    if addend is None or addend.data is None or len(addend.shape) > len(conv.output.shape):
        return None
    rank, channels = len(conv.output.shape), conv.output.shape[1]
    shape = (1,) * (rank - len(addend.shape)) + addend.shape
    if addend.size == 1:
        return np.full(channels, addend.data.reshape(-1)[0], np.float32)
    if shape == (1, channels, *(1,) * (rank - 2)):
        return addend.data.reshape(-1).astype(np.float32)
    return None


def _fold(graph: Graph, conv: Node, node: Node, bias: np.ndarray) -> None:
    addend = node.inputs[1]
    assert addend is not None
    graph.set_input(conv, 2, Value(addend.name, bias.shape, data=bias))
    is_output = any(v is node.output for v in graph.outputs)
    name = f"{node.name.removesuffix('_Add')}_Conv"
    graph.replace_uses(node.output, conv.output)
    graph.remove(node)
    if is_output:
        conv.output.name = name
