"""Classification: is the right class among the largest scores?

top-k = share of samples whose class is among the k largest scores; of equal scores, the first wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tpuc.evaluation.tasks import Record, Records, Rows

__all__ = ["Classification", "best_classes"]

_BEST = 5


def best_classes(scores: np.ndarray, count: int = _BEST) -> np.ndarray:
    """Numbers of the largest scores of each row, largest first: int64 (N, min(count, classes))."""
    return np.argsort(-scores.reshape(len(scores), -1), axis=1, kind="stable")[:, :count]


class Classification:
    """Top-1 and top-5 of the first output.

    Parameters
    ----------
    samples : sequence of str
        Names for the csv file.
    labels : int64 (N,)
        Right class of each sample.
    names : sequence of str
        Names of the classes; may be empty.
    """

    name = "classification"

    def __init__(self, samples: Sequence[str], labels: np.ndarray, names: Sequence[str]) -> None:
        self.samples, self.labels, self.names = samples, labels, names

    def key(self) -> dict[str, Any]:
        """The labels."""
        return {"labels": self.labels.tolist()}

    def read(self, first: int, outputs: Sequence[np.ndarray]) -> list[Record]:
        """Classes and scores of the five largest."""
        scores = outputs[0].reshape(len(outputs[0]), -1)
        best = best_classes(scores)
        found = np.take_along_axis(scores, best, 1)
        return [
            {"classes": b.tolist(), "scores": [round(float(v), 6) for v in s]}
            for b, s in zip(best, found)
        ]

    def figures(self, records: Sequence[Record], real: Sequence[Record] = ()) -> dict[str, float]:
        """`top1` and `top5`."""
        right = list(zip(self.labels.tolist(), records))
        total = max(len(right), 1)
        return {
            "top1": sum(label == r["classes"][0] for label, r in right) / total,
            "top5": sum(label in r["classes"] for label, r in right) / total,
        }

    def table(self, records: Records) -> Rows:
        """One row a sample: the right class, and the five best of every build."""
        rows: Rows = [["sample", "label", *(f"{b}_{w}" for b in records for w in ("top1", "top5"))]]
        for index, (sample, label) in enumerate(zip(self.samples, self.labels.tolist())):
            row: list[Any] = [sample, label]
            for found in records.values():
                classes = found[index]["classes"]
                row += [classes[0], " ".join(map(str, classes))]
            rows.append(row)
        return rows

    def lines(self, record: Record) -> list[str]:
        """What is written on a picture."""
        best = zip(record["classes"], record["scores"])
        named = [f"{self.names[c] if c < len(self.names) else c}  {s:.4g}" for c, s in best]
        return [f"Top-{len(named)}", *named]
