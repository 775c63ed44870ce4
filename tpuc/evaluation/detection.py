"""Detection: mean average precision as COCO defines it, by pycocotools.

map   = mean over classes and IoU limits 0.5, 0.55 ... 0.95 of the area under precision(recall)
map50 = the same at IoU 0.5
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpuc.errors import ConfigError
from tpuc.evaluation.boxes import Letterbox, decode, suppress, to_picture
from tpuc.evaluation.tasks import Record, Records, Rows

__all__ = ["Detection", "Limits", "require_pycocotools"]


@dataclass(frozen=True)
class Limits:
    """Least score, largest IoU of two boxes of a class, most boxes of a picture."""

    min_score: float
    max_iou: float
    max_boxes: int


def require_pycocotools() -> None:
    """Say early that the package is missing.

    Raises
    ------
    ConfigError : it is
    """
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "evaluation.task=detection needs the package 'pycocotools'. "
            "Hint: pip install 'tpuc[detection]'"
        ) from error


class Detection:
    """mAP against annotations in COCO's form.

    Parameters
    ----------
    truth : dict
        Content of the annotations file: images (of the samples, in order), annotations, categories.
    places : sequence of Letterbox
        How each picture lies in the network's input.
    size : (int, int)
        Height and width of the network's input.
    """

    name = "detection"

    def __init__(
        self,
        truth: dict[str, Any],
        places: Sequence[Letterbox],
        size: tuple[int, int],
        limits: Limits,
    ) -> None:
        self.truth, self.places, self.size, self.limits = truth, places, size, limits
        self.categories = sorted(truth["categories"], key=lambda c: c["id"])
        self.names = [str(c["name"]) for c in self.categories]

    def key(self) -> dict[str, Any]:
        """Limits, classes and sizes of the pictures."""
        return {
            "limits": [self.limits.min_score, self.limits.max_iou, self.limits.max_boxes],
            "classes": len(self.names),
            "places": [[*p.scale, *p.shift, *p.size] for p in self.places],
        }

    def read(self, first: int, outputs: Sequence[np.ndarray]) -> list[Record]:
        """Boxes of each picture: left, top, right, bottom in its pixels, score, class."""
        limits = self.limits
        found = decode(outputs, len(self.names), self.size, limits.min_score)
        records: list[Record] = []
        for index, boxes in enumerate(found, first):
            kept = suppress(boxes, limits.max_iou, limits.max_boxes)
            rows = to_picture(kept, self.places[index]).tolist()
            records.append({"boxes": [[round(v, 4) for v in row[:4]] + row[4:] for row in rows]})
        return records

    def figures(self, records: Sequence[Record], real: Sequence[Record] = ()) -> dict[str, float]:
        """`map` and `map50`; 0 where no build finds anything."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        found = self._results(records)
        if not found:
            return {"map": 0.0, "map50": 0.0}
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            truth.dataset = {"info": {}, **self.truth}
            truth.createIndex()
            judge = COCOeval(truth, truth.loadRes(found), "bbox")
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return {"map": max(float(judge.stats[0]), 0.0), "map50": max(float(judge.stats[1]), 0.0)}

    def _results(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        return [
            {
                "image_id": image["id"],
                "category_id": self.categories[int(kind)]["id"],
                "bbox": [left, top, right - left, bottom - top],
                "score": score,
            }
            for image, record in zip(self.truth["images"], records)
            for left, top, right, bottom, score, kind in record["boxes"]
        ]

    def table(self, records: Records) -> Rows:
        """One row a box and build."""
        rows: Rows = [["build", "picture", "class", "score", "left", "top", "right", "bottom"]]
        for build, found in records.items():
            for image, record in zip(self.truth["images"], found):
                for *corners, score, kind in record["boxes"]:
                    name = self.names[int(kind)]
                    rows.append([build, image["file_name"], name, round(score, 6), *corners])
        return rows
