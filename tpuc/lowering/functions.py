"""Activation functions in double precision, by Top op: tables are filled from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tpuc.ir import Node

__all__ = ["activation_function"]

Function = Callable[[np.ndarray], np.ndarray]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.where(x > 20.0, x, np.log1p(np.exp(np.minimum(x, 20.0))))


def _gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + np.tanh(0.7978845608028654 * x * (1.0 + 0.044715 * x * x)))


_PLAIN: dict[str, Function] = {
    "SiLU": lambda x: x * _sigmoid(x),
    "HardSwish": lambda x: x * np.clip((x + 3.0) / 6.0, 0.0, 1.0),
    "Tanh": np.tanh,
    "Softplus": _softplus,
    "Mish": lambda x: x * np.tanh(_softplus(x)),
    "Erf": _erf,
    "Exp": np.exp,
    "Sqrt": np.sqrt,
    "Log": np.log,
    "Softsign": lambda x: x / (1.0 + np.abs(x)),
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Round": np.round,
    "Sin": np.sin,
    "Cos": np.cos,
    "Sign": np.sign,
}


def activation_function(node: Node) -> Function:
    """The function of an op, in float64.

    Raises
    ------
    KeyError : the op is no function of one element
    """
    attrs = node.attrs
    if node.op == "Sigmoid":
        scale, bias = float(attrs["scale"]), float(attrs["bias"])  # type: ignore[arg-type]
        if attrs["log"]:
            return lambda x: -_softplus(-(x * scale + bias))
        return lambda x: _sigmoid(x * scale + bias)
    if node.op == "HardSigmoid":
        alpha, beta = float(attrs["alpha"]), float(attrs["beta"])  # type: ignore[arg-type]
        return lambda x: np.clip(x * alpha + beta, 0.0, 1.0)
    if node.op == "Elu":
        slope = float(attrs["alpha"])  # type: ignore[arg-type]
        return lambda x: np.where(x > 0, x, slope * (np.exp(np.minimum(x, 0.0)) - 1.0))
    if node.op == "GELU":
        if attrs["approx_mode"] == "sigm":
            return lambda x: x * _sigmoid(1.702 * x)
        return _gelu_tanh if attrs["approx_mode"] == "tanh" else _gelu
    if node.op == "SubConst":
        const, sign = float(attrs["const_val"]), -1.0 if node.flag("is_reverse") else 1.0  # type: ignore[arg-type]
        return lambda x: (x - const) * sign
    if node.op == "MulConst":
        factor = float(attrs["const_val"])  # type: ignore[arg-type]
        return lambda x: x * factor
    if node.op == "Pow":
        exponent = float(attrs["exponent"])  # type: ignore[arg-type]
        return lambda x: np.power(x, exponent)
    if node.op == "Reciprocal":
        numerator = float(attrs["const_val"])  # type: ignore[arg-type]
        return lambda x: numerator / x
    return _PLAIN[node.op]
