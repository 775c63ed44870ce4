"""Activations and other functions of one element."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts

__all__ = ["clip", "identity", "parametric", "plain", "prelu", "softmax"]

_PLAIN = {
    "Relu": ("Relu", {"relu_limit": -1.0}),
    "Sigmoid": ("Sigmoid", {}),
    "Tanh": ("Tanh", {}),
    "HardSwish": ("HardSwish", {}),
    "Swish": ("SiLU", {}),
    **{
        op: (op, {})
        for op in ("Softplus Mish Erf Abs Exp Sqrt Log Softsign Ceil Floor Round Sin Cos".split())
    },
}


@converts(*_PLAIN)
def plain(context: Context, node: OnnxNode) -> None:
    """An activation without parameters."""
    op, attrs = _PLAIN[node.op_type]
    if node.op_type == "Swish" and float(node.attrs.get("alpha", 1.0)) != 1.0:
        raise UnsupportedError(f"{node}: alpha is not 1; expected x * sigmoid(x)")
    context.emit(node, op, [context.value(node)], attrs)


@converts("LeakyRelu", "HardSigmoid", "Elu", "Gelu")
def parametric(context: Context, node: OnnxNode) -> None:
    """An activation whose parameters are attributes (held as float32 by ONNX)."""
    x = context.value(node)
    number = {k: float(np.float32(v)) for k, v in node.attrs.items() if k in ("alpha", "beta")}
    if node.op_type == "LeakyRelu":
        context.emit(
            node, "LeakyRelu", [x], {"alpha": number.get("alpha", float(np.float32(0.01)))}
        )
    elif node.op_type == "Elu":
        context.emit(node, "Elu", [x], {"alpha": number.get("alpha", 1.0)})
    elif node.op_type == "Gelu":
        mode = "tanh" if node.attrs.get("approximate", "none") == "tanh" else "normal"
        context.emit(node, "GELU", [x], {"approx_mode": mode})
    else:
        attrs = {"alpha": float(np.float32(0.2)), "beta": 0.5, **number}
        context.emit(node, "HardSigmoid", [x], attrs)


@converts("Clip")
def clip(context: Context, node: OnnxNode) -> None:
    """Clip(0, x) is Relu with a limit; other bounds stay Clip."""
    bounds = []
    for index, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        number = node.attrs.get(key, default)
        if node.has(index):
            number = context.constant(node, index).reshape(-1)[0]
        bounds.append(float(np.float32(number)))
    low, high = bounds
    x = context.value(node)
    if low == 0.0 and high > 0.0:
        limit = high if np.isfinite(high) else 0.0  # TPU-MLIR's way to say that there is none
        context.emit(node, "Relu", [x], {"relu_limit": limit})
    else:
        context.emit(node, "Clip", [x], {"min": low, "max": high})


@converts("PRelu")
def prelu(context: Context, node: OnnxNode) -> None:
    """PRelu; the slope gets a leading batch dimension."""
    x, slope = context.value(node), context.constant(node, 1)
    shape = (1,) * (len(x.shape) - slope.ndim) + slope.shape
    context.emit(node, "PRelu", [x, context.weight(node.inputs[1], slope.reshape(shape))])


@converts("Softmax", "LogSoftmax")
def softmax(context: Context, node: OnnxNode) -> None:
    """Softmax over one axis; before opset 13 over all axes from `axis` on."""
    x = context.value(node)
    rank = len(x.shape)
    old = context.opset < 13
    axis = int(node.attrs.get("axis", 1 if old else -1)) % rank
    if old and any(d != 1 for d in x.shape[axis + 1 :]):
        raise UnsupportedError(
            f"{node}: opset {context.opset} softmax over axes {axis}..{rank - 1} of {x.shape}; "
            "expected one axis. Hint: export with opset 13 or newer"
        )
    log = node.op_type == "LogSoftmax"
    context.emit(node, "Softmax", [x], {"axis": axis, "log": log})


@converts("Identity", "Dropout", "CastLike")
def identity(context: Context, node: OnnxNode) -> None:
    """Ops that change nothing here: everything is float32 until it is quantized."""
    context.alias(node, context.value(node))
