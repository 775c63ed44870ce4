"""Steps of attention in short floats.

q, k, v = round(x w + b);  p = q k^T * scale + mask, float32;  a = round(softmax(p))
y = round(round(a v) wo + bo)
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu_float
from tpuc.backends.bm1684x.command import F32, Local
from tpuc.backends.bm1684x.emitter import Emitter, element_of
from tpuc.backends.bm1684x.rules.along import soft_maximum
from tpuc.backends.bm1684x.rules.attention_steps import (
    BIASES,
    WEIGHTS,
    everywhere,
    load_mask,
    load_matrix,
)
from tpuc.ir import DType, Node

__all__ = ["FloatSteps", "why_not_float_head"]


def why_not_float_head(node: Node) -> str | None:
    """Why a head is not of one short float."""
    kind = node.output.dtype
    if kind not in (DType.F16, DType.BF16):
        return f"is {kind}"
    for value in node.activations:
        if value.dtype != kind:
            return f"tensor '{value.name}' is {value.dtype}"
    return None


class FloatSteps:
    """See `attention_steps.Steps`."""

    def __init__(self, e: Emitter, node: Node) -> None:
        self.e, self.node = e, node
        self.element = element_of(node.output)
        dtype = node.output.dtype
        self.weights = [load_matrix(e, node.weight(i), dtype, self.element) for i in WEIGHTS]
        biases = [node.inputs[i] for i in BIASES]
        self.biases = [
            None if b is None or b.data is None else everywhere(e, b.data.astype("<f4"), F32)
            for b in biases
        ]

    def take(self, which: int, rows: int) -> Local:
        """Room for a matrix."""
        return self.e.take((1, rows, 1, self.weights[which].shape[3]), self.element)

    def line(self, x: Local, which: int, y: Local) -> None:
        """round(x w + b)."""
        e, w, b = self.e, self.weights[which], self.biases[which]
        with e.scope():
            sums = e.take(y.shape, F32)
            tiu_float.multiply_rows(e, sums, x, w)
            if b is not None:
                tiu_float.combine(e, "add", sums, sums, b)
            tiu_float.convert(e, y, sums)

    def mask(self, n: int) -> Local | None:
        """What is added, float32."""
        short = load_mask(self.e, self.node, n)
        if short is None:
            return None
        wide = self.e.take(short.shape, F32)
        tiu_float.convert(self.e, wide, short)
        return wide

    def shares(self, q: Local, k: Local, mask: Local | None) -> Local:
        """round(softmax(q k^T * scale + mask))."""
        e = self.e
        y = e.take((1, q.shape[1], 1, k.shape[1]), self.element)
        with e.scope():
            p, made = e.take(y.shape, F32), e.take(y.shape, F32)
            tiu_float.multiply_rows(e, p, q, k, turned=True)
            tiu_float.combine(e, "mul", p, p, float(np.float32(self.node.number("scale"))))
            if mask is not None:
                tiu_float.combine(e, "add", p, p, mask)
            soft_maximum(e, made, p)
            tiu_float.convert(e, y, made)
        return y

    def mix(self, shares: Local, v: Local) -> Local:
        """round(shares v)."""
        y = self.e.take((1, shares.shape[1], 1, v.shape[3]), self.element)
        tiu_float.multiply_rows(self.e, y, shares, v)
        return y
