"""Activations."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Attr

__all__ = ["clamp", "hardtanh", "one_input", "parametric", "softmax"]

_ONE_INPUT: dict[str, tuple[str, dict[str, Attr]]] = {
    "relu": ("Relu", {}),
    "relu6": ("Relu", {"relu_limit": 6.0}),
    "hardswish": ("HardSwish", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "silu": ("SiLU", {}),
    "sigmoid": ("Sigmoid", {}),
    "log_sigmoid": ("Sigmoid", {"log": True}),
    "tanh": ("Tanh", {}),
    "mish": ("Mish", {}),
    "erf": ("Erf", {}),
    "abs": ("Abs", {}),
    "exp": ("Exp", {}),
    "log": ("Log", {}),
    "sqrt": ("Sqrt", {}),
    "floor": ("Floor", {}),
    "ceil": ("Ceil", {}),
    "round": ("Round", {}),
    "sin": ("Sin", {}),
    "cos": ("Cos", {}),
    "neg": ("MulConst", {"const_val": -1.0}),
    "reciprocal": ("Reciprocal", {}),
}


@converts(*_ONE_INPUT)
def one_input(context: TorchContext, node: TorchNode) -> None:
    """Element by element, nothing to set."""
    op, attrs = _ONE_INPUT[node.kind.removeprefix("aten::")]
    context.emit(node, op, [context.value(node)], attrs)


@converts("rsqrt")
def rsqrt(context: TorchContext, node: TorchNode) -> None:
    """Sqrt, then Reciprocal."""
    root = context.emit(node, "Sqrt", [context.value(node)], name=f"{node.name}_sqrt")
    context.emit(node, "Reciprocal", [root])


@converts("leaky_relu", "elu")
def parametric(context: TorchContext, node: TorchNode) -> None:
    """LeakyRelu and Elu, which have one number."""
    alpha = float(node.arg(1, 1.0))
    if node.kind == "aten::elu":
        others = [node.arg(i, 1) for i in (2, 3)]
        if any(float(v) != 1.0 for v in others):
            raise UnsupportedError(f"{node}: scale, input_scale {others}; expected 1, 1")
    op = "Elu" if node.kind == "aten::elu" else "LeakyRelu"
    context.emit(node, op, [context.value(node)], {"alpha": alpha})


@converts("softplus")
def softplus(context: TorchContext, node: TorchNode) -> None:
    """log(1 + exp(x))."""
    if float(node.arg(1, 1.0)) != 1.0:
        raise UnsupportedError(f"{node}: beta {node.arg(1)}; expected 1")
    context.emit(node, "Softplus", [context.value(node)])


@converts("gelu")
def gelu(context: TorchContext, node: TorchNode) -> None:
    """Exact or tanh form."""
    tanh = node.arg(1, "none") == "tanh"
    context.emit(node, "GELU", [context.value(node)], {"approx_mode": "tanh" if tanh else "normal"})


@converts("prelu")
def prelu(context: TorchContext, node: TorchNode) -> None:
    """One slope is LeakyRelu; else one for each channel."""
    x, slope = context.value(node), context.array(node, 1)
    if slope.size == 1:
        alpha = float(slope.reshape(-1)[0])
        context.emit(node, "LeakyRelu", [x], {"alpha": alpha})
        return
    shape = (1, slope.size, *([1] * (len(x.shape) - 2)))
    weight = context.weight(node.operands[1], slope.reshape(shape))
    context.emit(node, "PRelu", [x, weight])


@converts("hardtanh")
def hardtanh(context: TorchContext, node: TorchNode) -> None:
    """Relu with a limit if the lower bound is 0, else Clip."""
    low, high = float(node.arg(1, -1.0)), float(node.arg(2, 1.0))
    x = context.value(node)
    if low == 0 and high > 0:
        context.emit(node, "Relu", [x], {"relu_limit": high})
    else:
        context.emit(node, "Clip", [x], {"min": low, "max": high})


@converts("clamp", "clamp_min", "clamp_max")
def clamp(context: TorchContext, node: TorchNode) -> None:
    """Max with the lower bound, then Min with the upper one; each may be left out."""
    low = node.arg(1) if node.kind != "aten::clamp_max" else None
    high = node.arg(2) if node.kind == "aten::clamp" else None
    if node.kind == "aten::clamp_max":
        high = node.arg(1)
    x = context.value(node)
    for bound, op, suffix in ((low, "MaxConst", "max"), (high, "MinConst", "min")):
        if bound is not None:
            attrs = {"const_val": float(np.float32(bound))}
            x = context.emit(node, op, [x], attrs, name=f"{node.name}_aten::clamp_{suffix}")
    context.alias(node, x)


@converts("softmax", "log_softmax", "_softmax", "_log_softmax")
def softmax(context: TorchContext, node: TorchNode) -> None:
    """Softmax along one axis, or its logarithm."""
    x = context.value(node)
    axis = int(node.arg(1)) % len(x.shape)
    context.emit(node, "Softmax", [x], {"axis": axis, "log": "log" in node.kind})
