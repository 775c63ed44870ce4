"""Embeddings: do vectors of two samples stay as alike as the float network says?

similarity      = cosine of the vectors of a pair
cosine          = mean over samples of the cosine between a build's vector and the float network's
spearman        = correlation of the ranks of all similarities with those of the float network
spearman_labels = the same with the pairs' labels, where they have any

Of equal values, each has the mean of their ranks.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tpuc.errors import DataError
from tpuc.evaluation.tasks import Record, Records, Rows

__all__ = ["Embedding", "Pool", "pool_first", "pool_mean", "spearman"]

Pool = Callable[[int, np.ndarray], np.ndarray]
"""Vectors (B, D) of the samples from the given number on, from one vector a word (B, T, D)."""


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of ranks; 0 where all values of a side are equal."""
    x, y = _ranks(a), _ranks(b)
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[where.reshape(-1)].astype(np.float64)


def pool_first(first: int, words: np.ndarray) -> np.ndarray:
    """The vector of the first word."""
    return words[:, 0]


def pool_mean(masks: Callable[[int, int], np.ndarray] | None = None) -> Pool:
    """Mean over the words, or those that are there.

    Parameters
    ----------
    masks : callable, optional
        From the first sample and the number of samples to 1 where a word is: (B, T).
    """

    def pool(first: int, words: np.ndarray) -> np.ndarray:
        if masks is None:
            mean: np.ndarray = words.mean(1)
            return mean
        there = masks(first, len(words))[:, :, None]
        found: np.ndarray = (words * there).sum(1) / np.maximum(there.sum(1), 1e-9)
        return found

    return pool


class Embedding:
    """How alike the vectors of pairs are; samples 0 and 1 are a pair, 2 and 3, and so on.

    Parameters
    ----------
    samples : sequence of str
        Names for the csv file; an even number.
    labels : int64 (N,), optional
        The larger, the more alike; the same for both samples of a pair.
    pool : callable, optional
        For networks that give a vector for each word.

    Raises
    ------
    DataError : an odd number of samples, or two labels for one pair
    """

    name = "embedding"

    def __init__(
        self, samples: Sequence[str], labels: np.ndarray | None, pool: Pool | None = None,
        pooling: str = "none",
    ) -> None:  # fmt: skip
        if len(samples) < 2 or len(samples) % 2:
            raise DataError(
                f"evaluation.task=embedding: {len(samples)} samples; expected an even number, as "
                "two that follow one another are a pair. Hint: evaluation.task_num"
            )
        if labels is not None and (labels[::2] != labels[1::2]).any():
            pair = int(np.argmax(labels[::2] != labels[1::2]))
            raise DataError(
                f"{samples[2 * pair]} and {samples[2 * pair + 1]}: labels {labels[2 * pair]} and "
                f"{labels[2 * pair + 1]}; expected the same, as they are a pair"
            )
        self.samples, self.pool, self.pooling = samples, pool, pooling
        self.labels = None if labels is None else labels[::2]

    def key(self) -> dict[str, Any]:
        """How words become one vector; labels only change figures."""
        return {"pooling": self.pooling}

    def read(self, first: int, outputs: Sequence[np.ndarray]) -> list[Record]:
        """The vector of each sample, float32, as base64."""
        words = outputs[0]
        if self.pool is not None:
            words = self.pool(first, words)
        vectors = np.ascontiguousarray(words.reshape(len(words), -1), "<f4")
        return [{"vector": b64encode(v.tobytes()).decode()} for v in vectors]

    def figures(self, records: Sequence[Record], real: Sequence[Record]) -> dict[str, float]:
        """`cosine`, `spearman` and, with labels, `spearman_labels`."""
        ours, theirs = _vectors(records), _vectors(real)
        found = similarities(ours)
        figures = {
            "cosine": float(np.mean(_cosines(ours, theirs))),
            "spearman": spearman(found, similarities(theirs)),
        }
        if self.labels is not None:
            figures["spearman_labels"] = spearman(found, self.labels)
        return figures

    def table(self, records: Records) -> Rows:
        """One row a pair: its similarity by every build."""
        head = ["first", "second"] + (["label"] if self.labels is not None else [])
        rows: Rows = [[*head, *records]]
        columns = [similarities(_vectors(found)) for found in records.values()]
        for pair in range(len(self.samples) // 2):
            row: list[Any] = list(self.samples[2 * pair : 2 * pair + 2])
            if self.labels is not None:
                row.append(int(self.labels[pair]))
            rows.append(row + [round(float(column[pair]), 6) for column in columns])
        return rows


def similarities(vectors: np.ndarray) -> np.ndarray:
    """Cosine of each pair of rows: float64 (N / 2,) of (N, D)."""
    return _cosines(vectors[::2], vectors[1::2])


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    found: np.ndarray = (_unit(a) * _unit(b)).sum(1)
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-30)
    return unit


def _vectors(records: Sequence[Record]) -> np.ndarray:
    rows = [np.frombuffer(b64decode(r["vector"]), "<f4") for r in records]
    return np.array(rows, np.float64)
