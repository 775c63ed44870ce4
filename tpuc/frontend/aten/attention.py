"""Attention as one operator, spelled out as TPU-MLIR does."""

from __future__ import annotations

import math

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.aten.registry import converts
from tpuc.frontend.torchscript_context import TorchContext, TorchNode
from tpuc.ir import Value

__all__ = ["attention"]

_HIDDEN = -10000.0
"""Added where nothing may be looked at: its exponential is 0 in every type, and F16 holds it."""


@converts("scaled_dot_product_attention")
def attention(context: TorchContext, node: TorchNode) -> None:
    """(q, k, v, mask, dropout, causal, scale): softmax(scale q k^T + mask) v."""
    q, k, v = (context.value(node, i) for i in range(3))
    rank = len(k.shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = context.emit(node, "Permute", [k], {"order": order}, name=f"{k.name}_permute")
    scores = context.emit(node, "MatMul", [q, turned, None], name=f"{q.name}_kvmatmul")
    scale = node.arg(6)
    attrs = {"const_val": 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)}
    name = f"{q.name}_kvmatmul_with_scaled"
    scores = context.emit(node, "MulConst", [scores], attrs, name=name)
    mask = _mask(context, node, scores)
    if mask is not None:
        scores = context.emit(node, "Add", [scores, mask], name=f"{q.name}_kv_masked")
    name = f"{q.name}_kv_scaled_softmax"
    shares = context.emit(node, "Softmax", [scores], {"axis": rank - 1}, name=name)
    context.emit(node, "MatMul", [shares, v, None], name=f"{name}_mul_value")


def _mask(context: TorchContext, node: TorchNode, scores: Value) -> Value | None:
    """What is added to the scores; None: nothing."""
    given = node.args[3]
    if node.arg(5):
        seen = np.tril(np.ones(scores.shape[-2:], bool))
        return context.weight(f"{node.name}_mask", np.where(seen, 0, _HIDDEN))
    if given is None:
        return None
    if isinstance(given, Value):
        raise UnsupportedError(f"{node}: its mask is computed; expected a constant or none")
    array = given.detach().numpy()
    if array.dtype == bool:
        array = np.where(array, 0, _HIDDEN)
    return context.weight(f"{node.name}_mask", np.maximum(array, _HIDDEN))
