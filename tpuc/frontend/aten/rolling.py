"""Parts of an axis in another order."""

from __future__ import annotations

import numpy as np

from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["flip", "roll"]


@converts("roll")
def roll(context: TorchContext, node: TorchNode) -> None:
    """(input, shifts, axes): what leaves at the end enters at the beginning."""
    x, shifts, axes = context.value(node), node.ints(1), node.ints(2)
    if not axes:
        flat = context.emit(node, "Reshape", [x], {"shape": (-1,)}, name=f"{node.name}_expand_0")
        turned = _rolled(context, node, flat, 0, shifts[0], f"{node.name}_expand_3")
        context.emit(node, "Reshape", [turned], {"shape": x.shape})
        return
    for index, (axis, shift) in enumerate(zip(axes, shifts)):
        last = index == len(axes) - 1
        name = node.name if last else f"{node.name}_expand2{axis}{shift}"
        x = _rolled(context, node, x, axis % len(x.shape), shift, name)
    context.alias(node, x)


def _rolled(
    context: TorchContext, node: TorchNode, x: Value, axis: int, shift: int, name: str
) -> Value:
    size = x.shape[axis]
    at = size - shift % size
    if at == size:
        return x
    parts: list[Value | None] = []
    for index, (start, end) in enumerate(((at, size), (0, at))):
        attrs: dict[str, Attr] = {
            "axes": (axis,), "offset": (start,), "ends": (end,), "steps": (1,)
        }  # fmt: skip
        part = f"{node.name}_expand{index}{axis}{shift}"
        parts.append(context.emit(node, "Slice", [x, None, None, None], attrs, name=part))
    return context.emit(node, "Concat", parts, {"axis": axis}, name=name)


@converts("flip")
def flip(context: TorchContext, node: TorchNode) -> None:
    """Axes from their end to their beginning."""
    x = context.value(node)
    for index, axis in enumerate(node.ints(1)):
        rows = np.arange(x.shape[axis])[::-1]
        weight = context.weight(f"{node.name}_rows_{index}", rows)
        attrs: dict[str, Attr] = {"axis": axis % len(x.shape)}
        x = context.emit(node, "Gather", [x, weight], attrs, name=f"{node.name}_slice_{index}")
    context.alias(node, x)
