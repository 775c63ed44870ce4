"""Changes the batch of a graph.

Networks are compiled for one batch, usually 1; calibration and simulation are faster on many
samples.
"""

from __future__ import annotations

import numpy as np

from tpuc.errors import GraphError, Skip
from tpuc.ir.graph import Graph
from tpuc.ir.node import Node, Value
from tpuc.ir.shapes import infer_shapes

__all__ = ["with_batch"]

_AXIS_OPS = (
    *("Concat", "Split", "Softmax", "Gather", "Arg", "LayerNorm"),
    *("GatherElements", "ScatterElements", "TopK", "CumSum"),
)
_COUNTING_OPS = ("ScatterND", "GatherND", "RoiAlign", "Nms")
_TILED_OPS = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "Compare", "Mod", "Concat")
"""Ops whose constants are repeated along with the samples."""


def with_batch(graph: Graph, factor: int) -> Graph | Skip:
    """A clone whose activations have a `factor` times larger first dimension.

    Running it equals running `graph` sample by sample and concatenating along the first dimension.

    Returns
    -------
    Graph or Skip
        Skip names the first op that mixes samples or hides the batch, with the reason.
    """
    if factor == 1:
        return graph
    wide = graph.clone()
    for node in wide.nodes:
        old = [v.shape for v in node.outputs]
        if node.op == "Input":
            node.output.shape = (old[0][0] * factor, *old[0][1:])
            continue
        reason = _mixes(node)
        if reason is None and node.op in _TILED_OPS:
            _tile_constants(wide, node, factor)
        if reason is None:
            _rewrite(node, old[0], factor)
            try:
                new = infer_shapes(node)
            except GraphError as error:
                return Skip(f"{node}: {error}", (node.name,))
            wanted = [(s[0] * factor, *s[1:]) if s else s for s in old]
            if list(new) != wanted:
                reason = f"its output would be {new[0]} instead of {wanted[0]}"
        if reason is not None:
            return Skip(f"{node}: {reason}, samples are run one by one", (node.name,))
        for out, shape in zip(node.outputs, new):
            out.shape = shape
    return wide


def _mixes(node: Node) -> str | None:
    if any(not v.shape for v in node.activations):
        return "it reads a scalar"
    rank = len(node.activations[0].shape) if node.activations else 1
    if node.op in _COUNTING_OPS:
        return "its positions count samples"
    if node.op == "SwapDimInner" and node.ints("offset")[0]:
        return "it rolls the batch"
    looks_up = node.op == "Gather" and node.inputs[0] is not None and node.inputs[0].is_weight
    if (
        node.op in _AXIS_OPS
        and not looks_up
        and "axis" in node.attrs
        and node.integer("axis") % rank == 0
    ):
        return "it works along the batch"
    if node.op == "Reduce" and any(a % rank == 0 for a in node.ints("axes")):
        return "it reduces the batch"
    if node.op == "Slice" and _reverses(node, rank):
        return "it reverses the batch"
    if node.op == "Permute" and node.ints("order")[0] != 0:
        return "it moves the batch"
    if node.op in ("Squeeze", "Unsqueeze") and 0 in node.ints("axes"):
        return "it changes the first axis"
    if node.op == "MatMul" and (node.attrs.get("left_transpose") or len(node.activations) > 1):
        rank = min(len(v.shape) for v in node.inputs[:2] if v is not None)
        if rank < 3:
            return "it multiplies two activations without a batch axis"
    if node.op == "Tile" and node.ints("tile")[0] != 1:
        return "it repeats the batch"
    return None


def _tile_constants(graph: Graph, node: Node, factor: int) -> None:
    """Repeat constants that have a row for each row of the result, or for each sample."""
    rank = len(node.output.shape)
    for index, value in enumerate(node.inputs):
        if value is None or value.data is None or len(value.shape) != rank:
            continue
        if value.shape[0] == 1 and node.op != "Concat":
            continue
        data = np.concatenate([value.data] * factor)
        wide = Value(value.name, data.shape, value.dtype, value.quant, data)
        graph.set_input(node, index, wide)


def _reverses(node: Node, rank: int) -> bool:
    steps = node.ints("steps")
    axes = node.ints("axes") or tuple(range(len(steps)))
    return any(axis % rank == 0 and step < 0 for axis, step in zip(axes, steps))


def _rewrite(node: Node, old: tuple[int, ...], factor: int) -> None:
    if node.op == "Reshape" and "shape" in node.attrs:
        shape = node.ints("shape")
        if shape and shape[0] == old[0]:
            node.attrs["shape"] = (old[0] * factor, *shape[1:])
        elif shape and shape[0] == -1:
            node.attrs["shape"] = (-1, *old[1:])
    elif node.op == "Reshape":  # its type alone says the shape
        node.attrs["shape"] = (old[0] * factor, *old[1:])
    elif node.op == "Slice":
        ends = node.ints("ends")
        axes = node.ints("axes") or tuple(range(len(ends)))
        steps = node.ints("steps")
        whole = axes[0] == 0 and node.ints("offset")[0] == 0 and steps[0] == 1
        if whole and ends[0] == old[0]:
            node.attrs["ends"] = (old[0] * factor, *ends[1:])
    elif node.op == "Expand":
        shape = node.ints("shape")
        if len(shape) == len(old) and shape[0] == old[0]:
            node.attrs["shape"] = (old[0] * factor, *shape[1:])
