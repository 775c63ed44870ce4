"""Add, Sub, Mul, Div, Max, Min, Pow and Neg, with constants folded into the `...Const` ops."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts

__all__ = ["add_mul", "divide", "extremum", "negate", "power", "subtract"]


def _scalar(context: Context, node: OnnxNode, index: int) -> float | None:
    """The number, if the input is a constant with one element."""
    if context.is_constant(node, index):
        data = context.constants[node.inputs[index]]
        if data.size == 1:
            return float(data.reshape(-1)[0])
    return None


@converts("Add", "Mul", "Sum")
def add_mul(context: Context, node: OnnxNode) -> None:
    """Constants stay operands (on the right); a pass turns scalars into AddConst, MulConst."""
    op = "Mul" if node.op_type == "Mul" else "Add"
    operands = [context.value(node, i) for i in range(len(node.inputs))]
    if len(operands) == 1:
        context.alias(node, operands[0])
        return
    ordered = sorted(operands, key=lambda v: v.is_weight)
    context.emit(node, op, ordered)


@converts("Sub")
def subtract(context: Context, node: OnnxNode) -> None:
    """x - c is AddConst(-c); c - x is a reversed SubConst."""
    left, right = _scalar(context, node, 0), _scalar(context, node, 1)
    if right is not None:
        context.emit(node, "AddConst", [context.value(node)], {"const_val": -right})
    elif left is not None:
        attrs = {"const_val": left, "is_reverse": True}
        context.emit(node, "SubConst", [context.value(node, 1)], attrs)
    else:
        context.emit(node, "Sub", [context.value(node), context.value(node, 1)])


@converts("Div")
def divide(context: Context, node: OnnxNode) -> None:
    """x / c is MulConst(1 / c); c / x is Reciprocal."""
    left, right = _scalar(context, node, 0), _scalar(context, node, 1)
    if right is not None:
        if right == 0.0:
            raise UnsupportedError(f"{node}: divides by the constant 0")
        context.emit(node, "MulConst", [context.value(node)], {"const_val": 1.0 / right})
    elif left is not None:
        context.emit(node, "Reciprocal", [context.value(node, 1)], {"const_val": left})
    else:
        context.emit(node, "Div", [context.value(node), context.value(node, 1)])


@converts("Max", "Min")
def extremum(context: Context, node: OnnxNode) -> None:
    """Max and Min of two or more; more than two become a chain."""
    operands = [context.value(node, i) for i in range(len(node.inputs))]
    ordered = sorted(operands, key=lambda v: v.is_weight)
    if len(ordered) == 1:
        context.alias(node, ordered[0])
        return
    out = ordered[0]
    for i, other in enumerate(ordered[1:], 1):
        last = i == len(ordered) - 1
        name = None if last else f"{node.name}_{i}"
        out = context.emit(node, node.op_type, [out, other], name=name)


@converts("Pow")
def power(context: Context, node: OnnxNode) -> None:
    """x ** 2 is Mul(x, x); other constant exponents are Pow."""
    exponent = _scalar(context, node, 1)
    x = context.value(node)
    if exponent is None:
        raise UnsupportedError(f"{node}: the exponent must be one constant")
    if exponent == 1.0:
        context.alias(node, x)
    elif exponent == 2.0:
        context.emit(node, "Mul", [x, x])
    elif exponent == 0.5:
        context.emit(node, "Sqrt", [x])
    else:
        context.emit(node, "Pow", [x], {"exponent": float(np.float32(exponent))})


@converts("Neg")
def negate(context: Context, node: OnnxNode) -> None:
    """-x is MulConst(-1)."""
    context.emit(node, "MulConst", [context.value(node)], {"const_val": -1.0})


@converts("Reciprocal")
def reciprocal(context: Context, node: OnnxNode) -> None:
    """1 / x."""
    context.emit(node, "Reciprocal", [context.value(node)], {"const_val": 1.0})
