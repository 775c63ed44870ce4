"""Ops that only move data."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["expand", "flatten", "gather", "pad", "permute", "reshape", "same", "squeeze"]

_PAD_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
}


@converts(
    "contiguous", "detach", "clone", "dropout", "feature_dropout", "alpha_dropout", "to",
    "type_as", "copy", "_to_copy", "alias", "identity",
)  # fmt: skip
def same(context: TorchContext, node: TorchNode) -> None:
    """Nothing, at inference."""
    if "dropout" in node.kind and node.arg(2):
        raise UnsupportedError(
            f"{node}: is in training mode. Hint: call model.eval() before torch.jit.trace"
        )
    context.alias(node, context.value(node))


@converts("view", "reshape", "_unsafe_view")
def reshape(context: TorchContext, node: TorchNode) -> None:
    """Another shape, -1 is inferred."""
    context.emit(node, "Reshape", [context.value(node)], {"shape": node.ints(1)})


@converts("flatten")
def flatten(context: TorchContext, node: TorchNode) -> None:
    """Join the axes from start to end."""
    x = context.value(node)
    rank = len(x.shape)
    start, end = int(node.arg(1, 0)) % rank, int(node.arg(2, -1)) % rank
    shape = (*x.shape[:start], -1, *x.shape[end + 1 :])
    context.emit(node, "Reshape", [x], {"shape": shape, "flatten_start_dim": start})


@converts("permute")
def permute(context: TorchContext, node: TorchNode) -> None:
    """Another order of axes."""
    x = context.value(node)
    order = tuple(a % len(x.shape) for a in node.ints(1))
    context.emit(node, "Permute", [x], {"order": order})


@converts("transpose", "t")
def transpose(context: TorchContext, node: TorchNode) -> None:
    """Swap two axes; the last two for t()."""
    x = context.value(node)
    order = list(range(len(x.shape)))
    a, b = (int(node.arg(1)), int(node.arg(2))) if len(node.args) > 1 else (-1, -2)
    order[a], order[b] = order[b], order[a]
    context.emit(node, "Permute", [x], {"order": tuple(order)})


@converts("squeeze", "unsqueeze")
def squeeze(context: TorchContext, node: TorchNode) -> None:
    """Drop axes of size 1, or add one."""
    x = context.value(node)
    rank = len(x.shape)
    if node.kind == "aten::unsqueeze":
        axis = int(node.arg(1)) % (rank + 1)
        context.emit(node, "Unsqueeze", [x], {"axes": (axis,)})
        return
    axes = range(rank) if len(node.args) < 2 else [a % rank for a in node.ints(1)]
    single = tuple(a for a in axes if x.shape[a] == 1)
    if single:
        context.emit(node, "Squeeze", [x], {"axes": single})
    else:
        context.alias(node, x)


@converts("expand", "expand_as")
def expand(context: TorchContext, node: TorchNode) -> None:
    """Broadcast, as a product with ones, which is how TPU-MLIR spells it; -1 keeps the size."""
    x = context.value(node)
    shape = context.value(node, 1).shape if node.kind == "aten::expand_as" else node.ints(1)
    padded = (1,) * (len(shape) - len(x.shape)) + x.shape
    if tuple(p if s == -1 else s for p, s in zip(padded, shape)) == x.shape:
        context.alias(node, x)
        return
    ones = np.ones([1 if s == -1 else s for s in shape], np.float32)
    context.emit(node, "Mul", [x, context.weight(f"{node.name}_size", ones)])


@converts("repeat", "tile")
def repeat(context: TorchContext, node: TorchNode) -> None:
    """Repeat along each axis."""
    x, tile = context.value(node), node.ints(1)
    if len(tile) != len(x.shape):
        raise UnsupportedError(f"{node}: repeats {tile} of shape {x.shape}; expected one an axis")
    context.emit(node, "Tile", [x], {"tile": tile})


@converts("constant_pad_nd", "pad", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
          "replication_pad2d")  # fmt: skip
def pad(context: TorchContext, node: TorchNode) -> None:
    """Padding, given from the last axis to the first as (begin, end) pairs."""
    x, pairs = context.value(node), node.ints(1)
    mode, number = "constant", 0.0
    if node.kind == "aten::pad":
        mode, number = str(node.arg(2, "constant")), float(node.arg(3) or 0.0)
    elif node.kind == "aten::constant_pad_nd":
        number = float(node.arg(2, 0.0))
    else:
        mode = "reflect" if "reflection" in node.kind else "replicate"
    if mode not in _PAD_MODES or min(pairs) < 0:
        raise UnsupportedError(
            f"{node}: mode '{mode}', pads {pairs}; expected constant, reflect or replicate, "
            "not negative"
        )
    rank = len(x.shape)
    full = [0] * (2 * rank)
    for i in range(len(pairs) // 2):
        axis = rank - 1 - i
        full[axis], full[axis + rank] = pairs[2 * i], pairs[2 * i + 1]
    if any(full):
        attrs: dict[str, Attr] = {"paddings": tuple(full), "mode": _PAD_MODES[mode], "val": number}
        context.emit(node, "Pad", [x], attrs)
    else:
        context.alias(node, x)


@converts("index_select", "embedding", "index")
def gather(context: TorchContext, node: TorchNode) -> None:
    """Rows of an axis at constant positions; embedding: rows of a constant table."""
    if node.kind == "aten::embedding":
        operands = [context.value(node, 0), context.value(node, 1)]
        context.emit(node, "Gather", operands, {"axis": 0})
        return
    x = context.value(node)
    axis, where = (int(node.arg(1)), node.arg(2)) if len(node.args) > 2 else _index(node)
    axis %= len(x.shape)
    indices = np.asarray(where, np.int64)
    positive = np.where(indices < 0, indices + x.shape[axis], indices)
    weight = context.weight(f"{node.name}_indices", positive)
    context.emit(node, "Gather", [x, weight], {"axis": axis})


def _index(node: TorchNode) -> tuple[int, object]:
    """Axis and positions of x[:, tensor]: a list of None and one tensor of integers."""
    given = [(i, t) for i, t in enumerate(node.args[1]) if t is not None]
    if len(given) != 1 or isinstance(given[0][1], Value) or given[0][1].dtype.is_floating_point:
        raise UnsupportedError(f"{node}: indexes {len(given)} axes; expected one constant tensor")
    if str(given[0][1].dtype) == "torch.bool":
        raise UnsupportedError(f"{node}: is indexed by a mask; expected positions")
    return given[0]


@converts("channel_shuffle")
def channel_shuffle(context: TorchContext, node: TorchNode) -> None:
    """Reshape to groups, swap, reshape back."""
    x, group = context.value(node), int(node.arg(1))
    n, c, *space = x.shape
    split = context.emit(
        node, "Reshape", [x], {"shape": (n, group, c // group, *space)}, name=f"{node.name}_split"
    )
    order = (0, 2, 1, *range(3, len(space) + 3))
    swapped = context.emit(node, "Permute", [split], {"order": order}, name=f"{node.name}_swap")
    context.emit(node, "Reshape", [swapped], {"shape": x.shape})


@converts("pixel_shuffle", "pixel_unshuffle")
def pixel_shuffle(context: TorchContext, node: TorchNode) -> None:
    """Channels to space, or back."""
    block = int(node.arg(1))
    attrs = {
        "block_h": block,
        "block_w": block,
        "is_CRD": True,
        "is_inversed": node.kind == "aten::pixel_unshuffle",
    }
    context.emit(node, "Depth2Space", [context.value(node)], attrs)
