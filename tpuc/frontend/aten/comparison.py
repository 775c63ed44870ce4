"""Comparisons and choices; true is 1.0, false is 0.0."""

from __future__ import annotations

from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["compare", "masked_fill", "where"]

_MODES = {
    "eq": "Equal",
    "ne": "NotEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "lt": "Less",
    "le": "LessOrEqual",
}


@converts(*_MODES)
def compare(context: TorchContext, node: TorchNode) -> None:
    """Compare, or CompareConst where the right side is a number."""
    mode = _MODES[node.kind.removeprefix("aten::")]
    number = _number(node, 1)
    if number is not None:
        attrs: dict[str, Attr] = {"mode": mode, "const_val": number}
        context.emit(node, "CompareConst", [context.value(node)], attrs)
    else:
        context.emit(node, "Compare", [context.value(node), context.value(node, 1)], {"mode": mode})


@converts("where")
def where(context: TorchContext, node: TorchNode) -> None:
    """(condition, x, y): x where it holds, else y; numbers become attributes."""
    _choose(context, node, 0, 1, 2)


@converts("masked_fill")
def masked_fill(context: TorchContext, node: TorchNode) -> None:
    """(x, mask, number): the number where the mask holds."""
    _choose(context, node, 1, 2, 0)


def _choose(context: TorchContext, node: TorchNode, mask: int, yes: int, no: int) -> None:
    operands: list[Value | None] = [context.value(node, mask)]
    attrs: dict[str, Attr] = {}
    for index, side in ((yes, "x"), (no, "y")):
        number = _number(node, index)
        if number is None:
            operands.append(context.value(node, index))
        else:
            operands.append(None)
            attrs |= {f"{side}_is_const": True, f"{side}_const_val": number}
    context.emit(node, "Where", operands, attrs)


def _number(node: TorchNode, index: int) -> float | None:
    """An operand that is one known number."""
    item = node.args[index]
    if isinstance(item, bool | int | float):
        return float(item)
    known = hasattr(item, "detach") and item.numel() == 1
    return float(item.item()) if known else None
