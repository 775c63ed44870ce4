"""Heads of attention that are only added up and requantized: one kernel where nobody looks inside.

    y = requant(((h_0 + h_1) + h_2) + ...)

Sums that may reach the limits of int32 stay what they are, as the order matters there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tpuc.ir import DType, Graph, Node, Value
from tpuc.kernels._int8 import View
from tpuc.kernels.attention import AttentionKernel, HeadSpec, Rows, pack_attention
from tpuc.kernels.image import is_bytes
from tpuc.kernels.requant_words import Unfit
from tpuc.kernels.strided import copying
from tpuc.simulator.plain import PlainKernel

__all__ = ["Heads", "find_heads", "heads_run"]


@dataclass(frozen=True)
class Heads:
    """Heads of one input, up to their requantized sum.

    Parameters
    ----------
    reads : tuple of str
        Names of x and, if there is one, of the mask.
    inner : tuple of str
        Names of the heads and of all sums.
    """

    kernel: AttentionKernel
    reads: tuple[str, ...]
    inner: tuple[str, ...]


def find_heads(graph: Graph, kernels: Mapping[str, PlainKernel]) -> dict[str, Heads]:
    """Heads by the name of the requantization behind them; all of them run on `kernels`."""
    outputs = {v.name for v in graph.outputs}
    found: dict[str, Heads] = {}
    for node in graph.nodes:
        if node.op == "RequantInt" and node.name in kernels and is_bytes(node.output):
            chain = list(_chain(node.inputs[0], kernels, outputs))
            heads = _joined(node, chain, kernels)
            if heads is not None:
                found[node.name] = heads
    return found


def _joined(node: Node, chain: list[Node], kernels: Mapping[str, PlainKernel]) -> Heads | None:
    parts = [n for n in chain if n.op == "Attention"][::-1]
    specs = [spec for n in parts if (spec := kernels[n.name].head) is not None]
    if not specs or len(specs) < len(parts) or not _alike(parts) or not _is_plain(node, parts[0]):
        return None
    words = node.integer("multiplier"), node.integer("rshift")
    kernel = _pack(specs, words)
    reads = tuple(v.name for v in parts[0].activations)
    return None if kernel is None else Heads(kernel, reads, tuple(n.name for n in chain))


def _pack(specs: list[HeadSpec], words: tuple[int, int]) -> AttentionKernel | None:
    try:
        return pack_attention(specs, words)
    except Unfit:
        return None


def _is_plain(node: Node, head: Node) -> bool:
    """Whether x and y are signed bytes, a row for each token."""
    ends = head.activations[0], node.output
    return all(v.dtype == DType.SI8 and len(v.shape) == 3 and is_bytes(v) for v in ends)


def _chain(
    value: Value | None, kernels: Mapping[str, PlainKernel], outputs: set[str]
) -> Iterator[Node]:
    """Sums and heads from the last one back to the first; nothing of use if others are added."""
    while value is not None and value.producer is not None:
        node = value.producer
        private = len(value.users) == 1 and value.name not in outputs
        if node.name not in kernels or not private or node.op not in ("Add", "Attention"):
            return
        if node.op == "Attention":
            yield node
            return
        left, right = node.inputs[:2]
        if right is None or not _is_head(right, kernels, outputs):
            return
        assert right.producer is not None
        yield node
        yield right.producer
        value = left


def _is_head(value: Value, kernels: Mapping[str, PlainKernel], outputs: set[str]) -> bool:
    node = value.producer
    known = node is not None and node.name in kernels and kernels[node.name].head is not None
    return known and len(value.users) == 1 and value.name not in outputs


def _alike(parts: list[Node]) -> bool:
    """Whether all heads read the same tensors."""
    sources = [[id(v) for v in node.activations] for node in parts]
    return all(s == sources[0] for s in sources)


def _axes(rows: View, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of tokens as the tensor (batch, tokens, width)."""
    pitch = rows.strides[0]
    return np.ndarray(shape, np.uint8, rows.memory, rows.origin, (shape[1] * pitch, pitch, 1))


def heads_run(
    kernel: AttentionKernel, rows: Rows, x: np.ndarray, y: np.ndarray
) -> Callable[[np.ndarray | None, int], None]:
    """The heads, ready to run on a mask and so many threads.

    Parameters
    ----------
    rows : Rows
        Of all tokens.
    x, y : uint8 arrays (batch, tokens, width)
        Biased bytes.
    """
    finish, batch = kernel.finish, x.shape[0]
    before = copying(x, _axes(rows[0], x.shape))
    after = copying(_axes(rows[3], y.shape), y)
    assert before is not None and after is not None

    def run(mask: np.ndarray | None, threads: int) -> None:
        before.run(threads)
        kernel.mix(rows, mask, batch, threads)
        finish.run(rows[2], rows[3], threads)
        after.run(threads)

    return run
