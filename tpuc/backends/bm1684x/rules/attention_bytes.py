"""Steps of attention in 8 bits; `>>` rounds half away from zero and saturates to int8.

q, k, v = (x w + b) * m >> s;  p = q k^T * m >> s, -128 where the mask is not 0
a = saturate(half_away(t[127 - p] / (sum of t * scale))), uint8, 0 where all t are
y = (a v * m >> s) wo + bo, int32

The byte of p is the index into a table that is turned to fit, and larger than t by a power of two:
small powers times the scale stay normal numbers. They are added one after another, and the
quotient is rounded as in one division.
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x import tiu, tiu_float
from tpuc.backends.bm1684x.command import F32, S8, S32, U8, Local
from tpuc.backends.bm1684x.emitter import Emitter
from tpuc.backends.bm1684x.rules.along import sum_in_turn
from tpuc.backends.bm1684x.rules.attention_steps import (
    BIASES,
    MASK,
    TABLE,
    WEIGHTS,
    everywhere,
    load_mask,
    load_matrix,
)
from tpuc.backends.bm1684x.rules.quotients import byte_quotient
from tpuc.ir import DType, Node

__all__ = ["ByteSteps", "why_not_byte_head"]

_OUT = 3
_LARGER = np.float32(2.0**40)
_WORDS = (0, 3, 6, 9, 12)  # queries, keys, values, products, mixed values


def why_not_byte_head(node: Node) -> str | None:
    """Why a head is not of signed bytes with a table."""
    words = node.attrs.get("quant_param")
    if not isinstance(words, tuple) or len(words) < _WORDS[-1] + 2:
        return f"quant_param is {words}"
    if len(node.inputs) <= TABLE or node.inputs[TABLE] is None:
        return "has no table"
    expected = {0: DType.SI8, MASK: DType.SI32, **dict.fromkeys(WEIGHTS, DType.SI8)}
    for index, dtype in expected.items():
        value = node.inputs[index]
        if value is not None and value.dtype != dtype:
            return f"operand '{value.name}' is {value.dtype}"
    return None if node.output.dtype == DType.SI32 else f"is {node.output.dtype}"


class ByteSteps:
    """See `attention_steps.Steps`."""

    def __init__(self, e: Emitter, node: Node) -> None:
        self.e, self.node = e, node
        self.weights = [load_matrix(e, node.weight(i), DType.SI8, S8) for i in WEIGHTS]
        biases = [node.inputs[i] for i in BIASES]
        self.biases = [
            None if b is None or b.data is None else everywhere(e, b.data.astype("<i4"), S32)
            for b in biases
        ]
        steps = 127 - np.arange(256, dtype=np.uint8).view(np.int8).astype(int)
        powers = node.weight(TABLE).reshape(-1)[steps] * _LARGER
        self.table = everywhere(e, powers.astype("<f4"), F32)

    def take(self, which: int, rows: int) -> Local:
        """Room for a matrix."""
        shape = 1, rows, 1, self.weights[which].shape[3]
        return self.e.take(shape, S32 if which == _OUT else S8)

    def line(self, x: Local, which: int, y: Local) -> None:
        """(x w + b) * m >> s; of the result x w + b."""
        e, w, b = self.e, self.weights[which], self.biases[which]
        with e.scope():
            sums = y if which == _OUT else e.take(y.shape, S32)
            tiu_float.multiply_rows(e, sums, x, w)
            if b is not None:
                tiu.add_row(e, sums, b)
            if which != _OUT:
                self._requantize(y, sums, which)

    def _requantize(self, y: Local, sums: Local, which: int) -> None:
        words, at = self.node.ints("quant_param"), _WORDS[which]
        tiu.requantize(self.e, y, sums, (words[at], words[at + 1]), tiu.HALF_AWAY)

    def mask(self, n: int) -> Local | None:
        """The most that a product may be: 127 where the mask is 0, else -128."""
        e, numbers = self.e, load_mask(self.e, self.node, n)
        if numbers is None:
            return None
        short = e.take(numbers.shape, S8)
        tiu.cast(e, short, numbers)
        tiu.multiply(e, numbers, short, short)
        tiu.requantize(e, numbers, numbers, (-255, 0), tiu.HALF_AWAY)
        tiu.add_constant(e, short, numbers, 127)
        return short

    def shares(self, q: Local, k: Local, mask: Local | None) -> Local:
        """uint8 shares of the values."""
        e = self.e
        shape = 1, q.shape[1], 1, k.shape[1]
        y, p = e.take(shape, U8), e.take(shape, S8)
        with e.scope():
            sums = e.take(shape, S32)
            tiu_float.multiply_rows(e, sums, q, k, turned=True)
            self._requantize(p, sums, 3)
        if mask is not None:
            tiu.lower_to_row(e, p, mask)
        with e.scope():
            powers, total = e.take(shape, F32), e.take((*shape[:3], 1), F32)
            tiu.look_up(e, powers, self.table, p)
            sum_in_turn(e, total, powers)
            scale = float(np.float32(self.node.number("scale")))
            tiu_float.combine(e, "mul", total, total, scale)
            tiu_float.choose(e, total, (total, "=", 0.0), 1.0, total)
            byte_quotient(e, y, powers, total)
        return y

    def mix(self, shares: Local, v: Local) -> Local:
        """shares v * m >> s."""
        e = self.e
        y = e.take((1, shares.shape[1], 1, v.shape[3]), S8)
        with e.scope():
            sums = e.take(y.shape, S32)
            tiu_float.multiply_rows(e, sums, shares, v)
            self._requantize(y, sums, 4)
        return y
