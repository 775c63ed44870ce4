"""Comparisons, logic, Where, Cast and Sign; true is 1.0, false is 0.0."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.fold import INTEGERS
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["cast", "compare", "not_", "sign", "where"]

_FLOAT = 1  # ONNX's number of FLOAT


@converts("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor")
def compare(context: Context, node: OnnxNode) -> None:
    """Compare, or CompareConst where one side is a number (`inversed`: the left one)."""
    left, right = context.scalar(node, 0), context.scalar(node, 1)
    mode: dict[str, Attr] = {"mode": node.op_type}
    if left is not None:
        attrs = {**mode, "const_val": left, "inversed": True}
        context.emit(node, "CompareConst", [context.value(node, 1)], attrs)
    elif right is not None:
        attrs = {**mode, "const_val": right}
        context.emit(node, "CompareConst", [context.value(node)], attrs)
    else:
        context.emit(node, "Compare", [context.value(node), context.value(node, 1)], mode)


@converts("Not")
def not_(context: Context, node: OnnxNode) -> None:
    """x is 0."""
    attrs: dict[str, Attr] = {"mode": "Not", "const_val": 0.0}
    context.emit(node, "CompareConst", [context.value(node)], attrs)


@converts("Where")
def where(context: Context, node: OnnxNode) -> None:
    """Where, with numbers as attributes."""
    operands: list[Value | None] = [context.value(node)]
    attrs: dict[str, Attr] = {}
    for index, side in ((1, "x"), (2, "y")):
        number = context.scalar(node, index)
        if number is None:
            operands.append(context.value(node, index))
        else:
            operands.append(None)
            attrs |= {f"{side}_is_const": True, f"{side}_const_val": number}
    context.emit(node, "Where", operands, attrs)


@converts("Cast")
def cast(context: Context, node: OnnxNode) -> None:
    """Cast between float and integer; other casts (of truth values, within a kind) are dropped."""
    to, source = int(node.attrs["to"]), context.kinds.get(node.inputs[0], 0)
    x = context.value(node)
    if to in INTEGERS and source == _FLOAT:
        context.emit(node, "Cast", [x], {"to": "INT32", "round_mode": "TowardsZero"})
    elif to == _FLOAT and source in INTEGERS:
        context.emit(node, "Cast", [x], {"to": "F32"})
    else:
        context.values[node.outputs[0]] = x  # keeps its own name where it is an output


@converts("Sign")
def sign(context: Context, node: OnnxNode) -> None:
    """-1, 0 or 1."""
    context.emit(node, "Sign", [context.value(node)])


@converts("Mod")
def modulo(context: Context, node: OnnxNode) -> None:
    """Mod of numbers that are not negative, where a result equal to the divisor becomes 0."""
    if node.attrs.get("fmod", 0):
        raise UnsupportedError(f"{node}: fmod=1; expected fmod=0")
    x, divisor = context.value(node), context.value(node, 1)
    rest = context.emit(node, "Mod", [x, divisor], name=node.name)
    number = context.scalar(node, 1)
    name = f"{node.name}_NotEqual"
    if number is None:
        differs = context.emit(node, "Compare", [rest, divisor], {"mode": "NotEqual"}, name)
    else:
        attrs: dict[str, Attr] = {"mode": "NotEqual", "const_val": float(np.float32(number))}
        differs = context.emit(node, "CompareConst", [rest], attrs, name)
    out = context.emit(node, "Mul", [differs, rest], name=f"{node.name}_Mul")
    context.bind(node, out, False)
