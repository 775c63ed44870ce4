"""Comparisons and choices; true is 1.0, false is 0.0."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr, Value

__all__ = ["compare", "logic", "masked_fill", "not_", "where"]

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


_LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}


@converts(*(f"{form}_{name}" for form in ("logical", "bitwise") for name in _LOGIC))
@converts(*(f"__{name}__" for name in _LOGIC))
def logic(context: TorchContext, node: TorchNode) -> None:
    """And, Or, Xor; bit by bit only where both sides are truth values."""
    mode = _LOGIC[node.kind.strip("_").rpartition("_")[2].removeprefix("aten::")]
    if "logical" not in node.kind:
        _expect_truth(node, 0, 1)
    context.emit(node, "Compare", [context.value(node), context.value(node, 1)], {"mode": mode})


@converts("logical_not", "bitwise_not")
def not_(context: TorchContext, node: TorchNode) -> None:
    """x is 0; bit by bit only where x is a truth value."""
    if "logical" not in node.kind:
        _expect_truth(node, 0)
    attrs: dict[str, Attr] = {"mode": "Not", "const_val": 0.0}
    context.emit(node, "CompareConst", [context.value(node)], attrs)


def _expect_truth(node: TorchNode, *indices: int) -> None:
    for index in indices:
        item = node.args[index]
        made = item.producer.op if isinstance(item, Value) and item.producer else ""
        known = isinstance(item, bool) or str(getattr(item, "dtype", "")) == "torch.bool"
        if not known and made not in ("Compare", "CompareConst"):
            raise UnsupportedError(f"{node}: argument {index} is no truth value; expected one")


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
