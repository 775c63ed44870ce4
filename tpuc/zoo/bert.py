"""BERT as a module of torch: encoder, mean over the words that are there, length 1.

Parameters have the names of published weights, but for `encoder.layer`, which is `layers`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Bert"]

_EPSILON = 1e-12
_HIDDEN = -10_000.0  # added where no attention is paid


class _Embeddings(nn.Module):
    def __init__(self, size: int, words: int, places: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(words, size)
        self.position_embeddings = nn.Embedding(places, size)
        self.token_type_embeddings = nn.Embedding(2, size)
        self.LayerNorm = nn.LayerNorm(size, eps=_EPSILON)

    def forward(self, ids: Tensor, types: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])[None]
        x = self.word_embeddings(ids) + self.token_type_embeddings(types)
        normal: Tensor = self.LayerNorm(x + self.position_embeddings(places))
        return normal


class _Projections(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))

    def split(self, x: Tensor) -> Tensor:
        size = x.shape[2] // self.heads
        return x.view(x.shape[0], x.shape[1], self.heads, size).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query = self.query(x)
        key, value = self.split(self.key(x)), self.split(self.value(x))
        query = self.split(query)
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
        mixed = torch.matmul(functional.softmax(scores + mask, -1), value)
        return mixed.permute(0, 2, 1, 3).reshape(x.shape)


class _Output(nn.Module):
    """What comes out of a part, added to what went in."""

    def __init__(self, inner: int, size: int) -> None:
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(inner, size), nn.LayerNorm(size, eps=_EPSILON)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        normal: Tensor = self.LayerNorm(self.dense(x) + before)
        return normal


class _Layer(nn.Module):
    def __init__(self, size: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": _Projections(size, heads), "output": _Output(size, size)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = _Output(inner, size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, mask), x)
        y: Tensor = self.output(functional.gelu(self.intermediate["dense"](x)), x)
        return y


class Bert(nn.Module):
    """Sentences to vectors.

    Parameters
    ----------
    size, heads, layers, inner : int
        Width, heads of attention, number of layers, width inside a layer.
    words, places : int
        Size of the vocabulary, longest sentence.
    """

    def __init__(
        self, size: int, heads: int, layers: int, inner: int, words: int, places: int
    ) -> None:
        super().__init__()
        self.embeddings = _Embeddings(size, words, places)
        self.layers = nn.ModuleList(_Layer(size, heads, inner) for _ in range(layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """int64 (B, T) each to float32 (B, size), of length 1."""
        hidden = (1.0 - attention_mask[:, None, None, :].float()) * _HIDDEN
        x = self.embeddings(input_ids, token_type_ids)
        for layer in self.layers:
            x = layer(x, hidden)
        weights = attention_mask[:, :, None].float().expand(x.shape)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, dim=1)
