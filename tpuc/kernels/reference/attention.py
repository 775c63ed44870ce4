"""One head of attention in integers; the formulas are in `lowering.rules.attention`."""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.reference.registry import kernel
from tpuc.numerics.rounding import round_away, shift_half_away

__all__: list[str] = []


def _product(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    sums = (x.astype(np.float64) @ w.astype(np.float64)).astype(np.int64)
    return sums if b is None else sums + b.reshape(-1).astype(np.int64)


def _requant(x: np.ndarray, words: tuple[int, ...]) -> np.ndarray:
    return np.clip(shift_half_away(x * words[0], words[1]), -128, 127)


@kernel("Attention")
def _attention(node: Node, x: np.ndarray, *rest: np.ndarray | None) -> np.ndarray:
    operands = [*rest, *[None] * (12 - len(rest))]
    wq, bq, wk, bk, wv, bv, wo, bo, mask, table = operands[2:12]
    words = node.ints("quant_param")
    assert wq is not None and wk is not None and wv is not None and wo is not None
    assert table is not None
    q = _requant(_product(x, wq, bq), words[0:2])
    k = _requant(_product(x, wk, bk), words[3:5])
    v = _requant(_product(x, wv, bv), words[6:8])
    products = _requant(_product(q, k.swapaxes(-1, -2)), words[9:11])
    if mask is not None:
        hidden = np.where(mask.reshape(mask.shape[0], 1, -1) != 0, 255, 0)
        products = np.clip(products - hidden, -128, 127)
    shares = _softmax(np.clip(127 - products, 0, 255), table.reshape(-1), node.number("scale"))
    mixed = _requant(_product(shares, v), words[12:14])
    return _product(mixed, wo, bo).astype(np.int32)


def _softmax(steps: np.ndarray, table: np.ndarray, scale: float) -> np.ndarray:
    """uint8 shares, all 0 where the powers are; powers are added one after another in float32."""
    powers = table[steps].astype(np.float32)
    total = np.add.accumulate(powers, axis=-1, dtype=np.float32)[..., -1:]
    whole = np.where(total > 0, total * np.float32(scale), np.float32(1))
    return np.clip(round_away(powers / whole), 0, 255).astype(np.int64)
