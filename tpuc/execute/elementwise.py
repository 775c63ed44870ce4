"""Arithmetic, activations and normalization."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from tpuc.execute.registry import KERNELS, Tensor, kernel
from tpuc.ir import Node

__all__: list[str] = []


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "SiLU": F.silu,
    "HardSwish": F.hardswish,
    "Tanh": torch.tanh,
    "Softplus": lambda x: F.softplus(x, threshold=20.0),
    "Mish": F.mish,
    "Erf": torch.erf,
    "Abs": torch.abs,
    "Exp": torch.exp,
    "Sqrt": torch.sqrt,
    "Log": torch.log,
    "Softsign": F.softsign,
    "Ceil": torch.ceil,
    "Floor": torch.floor,
    "Round": torch.round,
    "Sin": torch.sin,
    "Cos": torch.cos,
}
for _name, _function in _UNARY.items():
    KERNELS[_name] = lambda node, x, f=_function: f(x)


def _fold(function: Callable[[Tensor, Tensor], Tensor], operands: tuple[Tensor, ...]) -> Tensor:
    out = operands[0]
    for other in operands[1:]:
        out = function(out, other)
    return out


@kernel("Add")
def _add(node: Node, *operands: Tensor) -> Tensor:
    coeff = node.attrs.get("coeff")
    if coeff:
        operands = tuple(o * float(c) for o, c in zip(operands, coeff))  # type: ignore[arg-type]
    return _fold(torch.add, operands)


@kernel("Sub")
def _sub(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return y - x if node.attrs["is_reverse"] else x - y


@kernel("Mul")
def _mul(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.mul, operands)


@kernel("Div")
def _div(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return y / x if node.attrs["is_reverse"] else x / y


@kernel("Max")
def _max(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.maximum, operands)


@kernel("Min")
def _min(node: Node, *operands: Tensor) -> Tensor:
    return _fold(torch.minimum, operands)


_CONST: dict[str, Callable[[Tensor, float], Tensor]] = {
    "AddConst": lambda x, c: x + c,
    "MulConst": lambda x, c: x * c,
    "MaxConst": lambda x, c: x.clamp(min=c),
    "MinConst": lambda x, c: x.clamp(max=c),
    "Reciprocal": lambda x, c: c / x,
}


@kernel(*_CONST)
def _with_const(node: Node, x: Tensor) -> Tensor:
    return _CONST[node.op](x, node.number("const_val"))


@kernel("SubConst")
def _sub_const(node: Node, x: Tensor) -> Tensor:
    c = node.number("const_val")
    return c - x if node.attrs["is_reverse"] else x - c


@kernel("Scale")
def _scale(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    shape = (1, -1, *([1] * (x.dim() - 2)))
    return x * scale.reshape(shape) + bias.reshape(shape)


@kernel("BatchNorm")
def _batch_norm(
    node: Node, x: Tensor, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor
) -> Tensor:
    epsilon = node.number("epsilon")
    return F.batch_norm(x, mean, var, gamma, beta, False, 0.0, epsilon)


@kernel("Pow")
def _pow(node: Node, x: Tensor) -> Tensor:
    return torch.pow(x, node.number("exponent"))


@kernel("Relu")
def _relu(node: Node, x: Tensor) -> Tensor:
    limit = node.number("relu_limit")
    return x.clamp(0.0, limit) if limit > 0 else F.relu(x)


@kernel("Clip")
def _clip(node: Node, x: Tensor) -> Tensor:
    return x.clamp(node.number("min"), node.number("max"))


@kernel("LeakyRelu")
def _leaky(node: Node, x: Tensor) -> Tensor:
    return F.leaky_relu(x, node.number("alpha"))


@kernel("PRelu")
def _prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x >= 0, x, x * slope)


@kernel("Sigmoid")
def _sigmoid(node: Node, x: Tensor) -> Tensor:
    scaled = x * node.number("scale") + node.number("bias")
    return F.logsigmoid(scaled) if node.attrs["log"] else torch.sigmoid(scaled)


@kernel("HardSigmoid")
def _hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    alpha, beta = node.number("alpha"), node.number("beta")
    return (x * alpha + beta).clamp(0.0, 1.0)


@kernel("Elu")
def _elu(node: Node, x: Tensor) -> Tensor:
    return F.elu(x, node.number("alpha"))


@kernel("GELU")
def _gelu(node: Node, x: Tensor) -> Tensor:
    mode = node.attrs["approx_mode"]
    if mode == "sigm":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "tanh" else "none")


@kernel("Softmax")
def _softmax(node: Node, x: Tensor) -> Tensor:
    axis, beta = node.integer("axis"), node.number("beta")
    function = F.log_softmax if node.attrs["log"] else F.softmax
    return function(x if beta == 1.0 else x * beta, dim=axis)


@kernel("Rope")
def _rope(node: Node, x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """x * cos + (x with the two of a pair swapped, the first negated) * sin."""
    if node.attrs["rope_mode"] == "contiguous_halves":
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat((-right, left), -1) * sin
    turned = torch.stack((-x[..., 1::2], x[..., 0::2]), -1).reshape(x.shape)
    return x * cos + turned * sin
