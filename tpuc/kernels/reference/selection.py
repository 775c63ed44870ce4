"""Comparisons of integers, and writes into them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.registry import kernel

__all__: list[str] = []

_MODES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "Equal": np.equal,
    "NotEqual": np.not_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
}
_SWAPPED = {
    "Greater": "Less",
    "GreaterOrEqual": "LessOrEqual",
    "Less": "Greater",
    "LessOrEqual": "GreaterOrEqual",
}


@kernel("CompareConst")
def _compare_const(node: Node, x: np.ndarray) -> np.ndarray:
    mode = node.text("mode")
    if mode == "Not":
        return (x == 0).astype(np.uint8)
    mode = _SWAPPED.get(mode, mode) if node.flag("inversed") else mode
    return _MODES[mode](x, node.number("const_val")).astype(np.uint8)


@kernel("ScatterND", stored=True)
def _scatter_nd(node: Node, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    places = indices.reshape(-1, indices.shape[-1]).astype(np.int64)
    out = x.copy()
    depth = places.shape[1]
    out[tuple(places.T)] = updates.reshape(len(places), *x.shape[depth:])
    return out
