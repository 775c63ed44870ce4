"""Arithmetic of two operands."""

from __future__ import annotations

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Value

__all__ = ["add", "div", "extreme", "mul", "power", "sub"]


def _scaled(context: TorchContext, node: TorchNode, index: int) -> Value:
    """The second operand times `alpha`."""
    alpha = float(node.arg(2, 1))
    if alpha == 1:
        return context.value(node, index)
    name = f"{node.operands[index]}_ml_mulscale"
    if not isinstance(node.args[index], Value):
        return context.weight(name, context.array(node, index) * alpha)
    taken = any(v.name == name for v in context.graph.values())
    return context.emit(
        node,
        "MulConst",
        [context.value(node, index)],
        {"const_val": alpha},
        name=f"{node.name}_{name}" if taken else name,
    )


@converts("add")
def add(context: TorchContext, node: TorchNode) -> None:
    """x + alpha * y; a constant comes second."""
    x, y = context.value(node), _scaled(context, node, 1)
    context.emit(node, "Add", [y, x] if x.is_weight else [x, y])


@converts("sub", "rsub")
def sub(context: TorchContext, node: TorchNode) -> None:
    """x - alpha * y, or for rsub y - alpha * x; a number makes SubConst."""
    reverse = node.kind == "aten::rsub"
    number = node.args[1]
    if isinstance(number, int | float):
        if float(node.arg(2, 1)) != 1 and reverse:
            raise UnsupportedError(f"{node}: alpha {node.arg(2)}; expected 1")
        attrs = {"const_val": float(number) * float(node.arg(2, 1)), "is_reverse": reverse}
        context.emit(node, "SubConst", [context.value(node)], attrs)
    elif reverse:
        context.emit(node, "Sub", [context.value(node, 1), _scaled(context, node, 0)])
    else:
        context.emit(node, "Sub", [context.value(node), _scaled(context, node, 1)])


@converts("mul", "multiply")
def mul(context: TorchContext, node: TorchNode) -> None:
    """x * y; a constant comes second."""
    x, y = context.value(node), context.value(node, 1)
    context.emit(node, "Mul", [y, x] if x.is_weight else [x, y])


@converts("div", "divide", "true_divide")
def div(context: TorchContext, node: TorchNode) -> None:
    """x / y; by a number it is a product."""
    if node.arg(2) is not None:
        raise UnsupportedError(f"{node}: rounding_mode '{node.arg(2)}'; expected none")
    x, y = context.value(node), context.value(node, 1)
    if y.data is not None and not x.is_weight:
        factor = context.weight(f"{node.name}_divisor", (1.0 / y.data).astype(y.data.dtype))
        context.emit(node, "Mul", [x, factor])
    elif x.data is not None and x.data.size == 1:
        attrs = {"const_val": float(x.data.reshape(-1)[0])}
        context.emit(node, "Reciprocal", [y], attrs)
    else:
        context.emit(node, "Div", [x, y])


@converts("pow", "square")
def power(context: TorchContext, node: TorchNode) -> None:
    """x to a constant power; x * x for 2."""
    exponent = 2.0 if node.kind == "aten::square" else float(node.arg(1))
    if exponent == 2:
        context.emit(node, "Mul", [context.value(node)] * 2)
        return
    context.emit(node, "Pow", [context.value(node)], {"exponent": exponent})


@converts("maximum", "minimum")
def extreme(context: TorchContext, node: TorchNode) -> None:
    """The larger or the smaller of two."""
    x, y = context.value(node), context.value(node, 1)
    op = "Max" if node.kind == "aten::maximum" else "Min"
    context.emit(node, op, [y, x] if x.is_weight else [x, y])
