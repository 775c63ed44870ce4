"""Concatenation, splitting and slicing."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["chunk", "concat", "select", "slice_", "split", "stack", "unbind"]


def _members(context: TorchContext, node: TorchNode) -> list[Value]:
    members = []
    for i, item in enumerate(node.args[0]):
        if isinstance(item, Value):
            members.append(item)
        else:
            members.append(context.weight(f"{node.name}_{i}", item.detach().float().numpy()))
    return members


@converts("cat", "concat", "concatenate")
def concat(context: TorchContext, node: TorchNode) -> None:
    """Join along an axis."""
    members = _members(context, node)
    if len(members) == 1:
        context.alias(node, members[0])
        return
    axis = int(node.arg(1, 0)) % len(members[0].shape)
    context.emit(node, "Concat", members, {"axis": axis})


@converts("stack")
def stack(context: TorchContext, node: TorchNode) -> None:
    """Unsqueeze every member, then join."""
    members = _members(context, node)
    axis = int(node.arg(1, 0)) % (len(members[0].shape) + 1)
    wide: list[Value | None] = [
        context.emit(node, "Unsqueeze", [m], {"axes": (axis,)}, name=f"{node.name}_expand_{i}")
        for i, m in enumerate(members)
    ]
    if len(wide) > 1:
        context.emit(node, "Concat", wide, {"axis": axis})


def _split(
    context: TorchContext, node: TorchNode, axis: int, sizes: list[int], names: list[str]
) -> None:
    x = context.value(node)
    attrs: dict[str, Attr] = {"axis": axis, "num": len(sizes), "split_size": tuple(sizes)}
    context.alias(node, context.emit_many(node, "Split", [x], attrs, names))


def _equal_parts(size: int, part: int) -> list[int]:
    return [min(part, size - start) for start in range(0, size, part)]


@converts("split", "split_with_sizes")
def split(context: TorchContext, node: TorchNode) -> None:
    """Parts of one size, or of the given sizes; named after what unpacks them."""
    x = context.value(node)
    axis = int(node.arg(2, 0)) % len(x.shape)
    given = node.arg(1)
    whole = x.shape[axis]
    sizes = list(node.ints(1)) if isinstance(given, list) else _equal_parts(whole, int(given))
    if sum(sizes) != whole:
        raise UnsupportedError(f"{node}: sizes {sizes} of axis {axis} of {x.shape}")
    unpacked = context.unpacked.get(node.name)
    fallback = [f"{node.name}_{i}" for i in range(len(sizes))]
    fits = unpacked is not None and len(unpacked) == len(sizes)
    _split(context, node, axis, sizes, list(unpacked) if unpacked and fits else fallback)


@converts("chunk")
def chunk(context: TorchContext, node: TorchNode) -> None:
    """A number of parts; the last may be smaller."""
    x = context.value(node)
    axis = int(node.arg(2, 0)) % len(x.shape)
    sizes = _equal_parts(x.shape[axis], -(-x.shape[axis] // int(node.arg(1))))
    _split(context, node, axis, sizes, [f"{node.name}_{i}" for i in range(len(sizes))])


@converts("unbind")
def unbind(context: TorchContext, node: TorchNode) -> None:
    """Every position of an axis by itself, without the axis; named after what unpacks them.

    TPU-MLIR 1.30 keeps the axis, with size 1.
    """
    x = context.value(node)
    axis = int(node.arg(1, 0)) % len(x.shape)
    names = list(context.unpacked.get(node.name, ()))
    if len(names) != x.shape[axis]:
        names = [f"{node.name}_{i}" for i in range(x.shape[axis])]
    _split(context, node, axis, [1] * len(names), [f"{n}_split" for n in names])
    parts = context.known[node.name]
    context.alias(node, [
        context.emit(node, "Squeeze", [part], {"axes": (axis,)}, name=name)
        for part, name in zip(parts, names)
    ])  # fmt: skip


def _slice(
    context: TorchContext, node: TorchNode, axis: int, bounds: tuple[int, int, int], name: str
) -> Value:
    x = context.value(node)
    attrs = {
        "axes": (axis,),
        "offset": (bounds[0],),
        "ends": (bounds[1],),
        "steps": (bounds[2],),
    }
    return context.emit(node, "Slice", [x, None, None, None], attrs, name=name)


@converts("slice")
def slice_(context: TorchContext, node: TorchNode) -> None:
    """(input, axis, start, end, step)."""
    x = context.value(node)
    axis = int(node.arg(1, 0)) % len(x.shape)
    start, end, step = node.arg(2), node.arg(3), int(node.arg(4, 1))
    low, high, _ = slice(start, end, step).indices(x.shape[axis])
    if (low, high, step) == (0, x.shape[axis], 1):
        context.alias(node, x)
        return
    if high <= low:
        raise UnsupportedError(f"{node}: {low}:{high} of axis {axis} of {x.shape} is empty")
    _slice(context, node, axis, (low, high, step), node.name)


@converts("select")
def select(context: TorchContext, node: TorchNode) -> None:
    """One position of an axis, without the axis."""
    x = context.value(node)
    axis = int(node.arg(1)) % len(x.shape)
    index = int(node.arg(2)) % x.shape[axis]
    part = _slice(context, node, axis, (index, index + 1, 1), f"{node.name}_SliceAxis")
    context.emit(node, "Squeeze", [part], {"axes": (axis,)})
