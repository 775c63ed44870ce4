"""The picture of the graph: boxes coloured by SQNR, lines between them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tpuc.reports.data import LayerRow
from tpuc.reports.layered import draw

__all__ = ["BOX", "Box", "GraphView", "Step", "graph_view", "level"]

BOX = (148, 46)  # width and height of a box, units of the picture
_PITCH = 82  # from row to row
_MARGIN = 16
_NAME = 20  # letters of a name that fit
_STEPS = ((40.0, "40 dB and more"), (30.0, "30 to 40 dB"), (20.0, "20 to 30 dB"),
          (15.0, "15 to 20 dB"), (10.0, "10 to 15 dB"), (-math.inf, "below 10 dB"))  # fmt: skip
_FULL = 50.0  # dB of a full bar


@dataclass(frozen=True)
class Step:
    """One step of the legend: CSS class, words, ops."""

    kind: str
    label: str
    count: int


@dataclass(frozen=True)
class Box:
    """One op; `left` and `top` in units of the picture, `bar` a share of the box's width."""

    number: int
    layer: LayerRow
    kind: str
    left: float
    top: float
    name: str
    bar: float
    reads: str


@dataclass(frozen=True)
class GraphView:
    """Everything to draw.

    Parameters
    ----------
    lines : tuple of (from, to, path data)
    overview : tuple of (CSS class, path data)
        All boxes once more, as strokes.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[tuple[int, int, Markup], ...]
    steps: tuple[Step, ...]
    overview: tuple[tuple[str, Markup], ...]


def level(sqnr_db: float | None) -> str:
    """CSS class of an SQNR: q0 (good) to q5, or qx where it was not measured."""
    if sqnr_db is None or math.isnan(sqnr_db):
        return "qx"
    return f"q{next(i for i, (least, _) in enumerate(_STEPS) if sqnr_db >= least)}"


def graph_view(layers: Sequence[LayerRow]) -> GraphView | None:
    """Lay out the picture; None if there is no line to draw."""
    number = {row.name: i for i, row in enumerate(layers)}
    inputs = [
        tuple(dict.fromkeys(number[n] for n in row.inputs if number.get(n, i) < i))
        for i, row in enumerate(layers)
    ]
    if not any(inputs):
        return None
    drawing = draw(inputs)
    wide = BOX[0]
    boxes = tuple(
        _box(i, row, drawing.x[i] * wide - wide / 2 + _MARGIN, drawing.rank[i], inputs[i])
        for i, row in enumerate(layers)
    )
    lines = tuple(
        (a, b, _path(boxes[a], boxes[b], [(x * wide + _MARGIN, rank) for x, rank in bends]))
        for a, b, bends in drawing.lines
    )
    height = (max(drawing.rank) + 1) * _PITCH - (_PITCH - BOX[1]) + 2 * _MARGIN
    return GraphView(
        round(drawing.width * wide + 2 * _MARGIN, 1),
        height, boxes, lines, _legend(boxes), _overview(boxes),
    )  # fmt: skip


def _box(number: int, row: LayerRow, left: float, rank: int, reads: tuple[int, ...]) -> Box:
    known = row.sqnr_db if row.sqnr_db is not None and not math.isnan(row.sqnr_db) else 0.0
    return Box(
        number, row, level(row.sqnr_db), round(left, 1), rank * _PITCH + _MARGIN, _short(row.name),
        min(max(known / _FULL, 0.0), 1.0), ",".join(map(str, reads)),
    )  # fmt: skip


def _short(name: str) -> str:
    """What fits into a box: the beginning, which tells blocks apart, and the end.

    An ONNX tensor's `_output_0_Type` says nothing that is not in the box.
    """
    kept = re.sub(r"_output_\d+_\w+$", "", name).lstrip("/") or name
    end = _NAME // 2 - 1
    return kept if len(kept) <= _NAME else f"{kept[: _NAME - 1 - end]}…{kept[-end:]}"


def _path(upper: Box, lower: Box, bends: list[tuple[float, int]]) -> Markup:
    """From the lower edge of a box to the upper edge of another, straight past the rows between."""
    half = BOX[0] / 2
    x, y = upper.left + half, upper.top + BOX[1]
    text = f"M{x:.0f} {y:.0f}"
    for bend, rank in bends:
        top = rank * _PITCH + _MARGIN
        text += _step(x, y, bend, top) + f"V{top + BOX[1]:.0f}"
        x, y = bend, top + BOX[1]
    return Markup(text + _step(x, y, lower.left + half, lower.top))


def _step(x: float, y: float, to: float, top: float) -> str:
    if abs(x - to) < 0.5:
        return f"V{top:.0f}"
    middle = (y + top) / 2
    return f"C{x:.0f} {middle:.0f} {to:.0f} {middle:.0f} {to:.0f} {top:.0f}"


def _legend(boxes: Sequence[Box]) -> tuple[Step, ...]:
    words = [(f"q{i}", label) for i, (_, label) in enumerate(_STEPS)] + [("qx", "not measured")]
    counts = [sum(box.kind == kind for box in boxes) for kind, _ in words]
    return tuple(Step(k, label, count) for (k, label), count in zip(words, counts) if count)


def _overview(boxes: Sequence[Box]) -> tuple[tuple[str, Markup], ...]:
    paths: dict[str, str] = {}
    for box in boxes:
        stroke = f"M{box.left:.0f} {box.top + BOX[1] / 2:.0f}h{BOX[0]}"
        paths[box.kind] = paths.get(box.kind, "") + stroke
    return tuple((kind, Markup(path)) for kind, path in sorted(paths.items()))
