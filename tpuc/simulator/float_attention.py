"""One head of attention in floats, rounded where TPU-MLIR's simulator rounds.

q, k, v = round(x w + b);  p = q k^T * scale + mask (float32);  a = round(softmax(p))
y = round(round(a v) wo + bo)
"""

from __future__ import annotations

import numpy as np

from tpuc.ir import Node
from tpuc.kernels.casts import round_to

__all__ = ["attention"]


def attention(node: Node, x: np.ndarray, *rest: np.ndarray | None) -> np.ndarray:
    """Operands as in the row of Attention; float32 in, float32 out."""
    operands = [*rest, *[None] * (12 - len(rest))]
    wq, bq, wk, bk, wv, bv, wo, bo, mask = operands[2:11]
    assert wq is not None and wk is not None and wv is not None and wo is not None
    kind = node.output.dtype

    def linear(source: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        made = source @ w
        return round_to(made if b is None else made + b.reshape(-1), kind)

    q, k, v = linear(x, wq, bq), linear(x, wk, bk), linear(x, wv, bv)
    products = (q @ k.swapaxes(-1, -2)) * np.float32(node.number("scale"))
    if mask is not None:
        products = products + mask.reshape(mask.shape[0], 1, -1)
    powers = np.exp(products - products.max(axis=-1, keepdims=True))
    shares = round_to(powers / powers.sum(axis=-1, keepdims=True, dtype=np.float32), kind)
    return linear(round_to(shares @ v, kind), wo, bo)
