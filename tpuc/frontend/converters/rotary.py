"""Rotary embedding (operator of opset 23)."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["rotary_embedding"]


@converts("RotaryEmbedding")
def rotary_embedding(context: Context, node: OnnxNode) -> None:
    """Rope of (N, heads, tokens, size), or of (N, tokens, heads * size) as heads."""
    x, paired = context.value(node), bool(node.attrs.get("interleaved", 0))
    heads = int(node.attrs.get("num_heads", 0))
    if len(x.shape) not in (3, 4) or (len(x.shape) == 3 and x.shape[-1] % max(heads, 1)):
        raise UnsupportedError(
            f"{node}: input {x.shape} with num_heads {heads}; expected rank 4, or 3 and heads"
        )
    whole, flat = x.shape, len(x.shape) == 3
    if flat:
        shape = (*x.shape[:2], max(heads, 1), x.shape[-1] // max(heads, 1))
        x = context.emit(node, "Reshape", [x], {"shape": shape}, f"{node.name}_heads")
    tokens = x.shape[1] if flat else x.shape[2]
    factors: list[Value | None] = [x]
    for index, neutral in ((2, 0.0), (1, 1.0)):
        table = _spread(context, node, index, (tokens, x.shape[-1]), (paired, neutral))
        table = table[None, :, None] if flat else table[None, None]
        factors.append(context.weight(f"{node.name}_{'cos' if index == 1 else 'sin'}", table))
    attrs: dict[str, Attr] = {
        "is_permute_optimize": flat,
        "rope_mode": "interleaved_pairs" if paired else "contiguous_halves",
    }
    if not flat:
        context.emit(node, "Rope", factors, attrs)
        return
    turned = context.emit(node, "Rope", factors, attrs, f"{node.name}_turned")
    context.emit(node, "Reshape", [turned], {"shape": whole})


def _spread(
    context: Context, node: OnnxNode, index: int, shape: tuple[int, int], way: tuple[bool, float]
) -> np.ndarray:
    """A factor for each token and number, from one for each token and pair.

    Raises
    ------
    UnsupportedError : samples differ, or halves of a part of the numbers are turned
    """
    paired, neutral = way
    table = context.constant(node, index)
    if node.has(3):
        table = table[context.constant(node, 3).astype(np.int64)]
    if table.ndim != 3 or (table != table[:1]).any() or table.shape[1] != shape[0]:
        raise UnsupportedError(
            f"{node}: factors {table.shape} of {shape[0]} tokens; expected the same for each sample"
        )
    turned = int(node.attrs.get("rotary_embedding_dim", 0)) or shape[1]
    if turned != shape[1] and not paired:
        raise UnsupportedError(
            f"{node}: rotary_embedding_dim {turned} of {shape[1]} in halves; expected all of them"
        )
    if table.shape[2] * 2 != turned:
        raise UnsupportedError(f"{node}: factors {table.shape} for {turned} numbers of a token")
    both = np.repeat(table[0], 2, -1) if paired else np.tile(table[0], 2)
    found = np.full(shape, neutral, np.float32)
    found[:, :turned] = both
    return found
