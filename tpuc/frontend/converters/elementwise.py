"""Add, Sub, Mul, Div, Max, Min, Pow and Neg, with constants folded into the `...Const` ops."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.fold import INTEGERS
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts

__all__ = ["add_mul", "divide", "extremum", "negate", "power", "subtract"]


def _chain(context: Context, node: OnnxNode, op: str) -> None:
    """Two operands at a time; TPU-MLIR numbers the ops in between: `<output>_1_Sum`."""
    out, *others = sorted(context.operands(node), key=lambda v: v.is_weight)
    if not others:
        context.alias(node, out)
    for i, other in enumerate(others, 1):
        between = f"{node.outputs[0]}_{i}_{node.op_type}"
        name = None if i == len(others) else between
        out = context.emit(node, op, [out, other], name=name)


@converts("Add", "Mul", "Sum")
def add_mul(context: Context, node: OnnxNode) -> None:
    """Constants stay operands (on the right); a pass turns scalars into AddConst, MulConst."""
    _chain(context, node, "Mul" if node.op_type == "Mul" else "Add")


@converts("Sub")
def subtract(context: Context, node: OnnxNode) -> None:
    """x - c is AddConst(-c); c - x is a reversed SubConst."""
    left, right = context.scalar(node, 0), context.scalar(node, 1)
    if right is not None:
        context.emit(node, "AddConst", [context.value(node)], {"const_val": -right})
    elif left is not None:
        attrs = {"const_val": left, "is_reverse": True}
        context.emit(node, "SubConst", [context.value(node, 1)], attrs)
    else:
        context.emit(node, "Sub", context.operands(node))


@converts("Div")
def divide(context: Context, node: OnnxNode) -> None:
    """x / c is MulConst(1 / c); c / x is Reciprocal."""
    left, right = context.scalar(node, 0), context.scalar(node, 1)
    if right is not None:
        if right == 0.0:
            raise UnsupportedError(f"{node}: divides by the constant 0")
        out = context.emit(node, "MulConst", [context.value(node)], {"const_val": 1.0 / right})
        if context.kinds.get(node.outputs[0]) in INTEGERS:
            context.bind(node, context.emit(node, "Floor", [out], name=f"{node.name}_floor"), False)
    elif left is not None:
        context.emit(node, "Reciprocal", [context.value(node, 1)], {"const_val": left})
    else:
        context.emit(node, "Div", context.operands(node))


@converts("Max", "Min")
def extremum(context: Context, node: OnnxNode) -> None:
    """Max and Min of two or more; more than two become a chain."""
    _chain(context, node, node.op_type)


@converts("Pow")
def power(context: Context, node: OnnxNode) -> None:
    """x ** 2 is Mul(x, x); other constant exponents are Pow."""
    exponent = context.scalar(node, 1)
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
