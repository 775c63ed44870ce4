"""docs/dataflow.svg: what flows from room to room."""

from __future__ import annotations

from html import escape

from tpuc.reports.layered import draw

__all__ = ["dataflow_svg"]

# room or file, what it is or makes, what it reads
STATIONS = (
    ("conf/, recipes/", "files of keys", ()),
    ("model file", "ONNX, TorchScript, Top MLIR", ()),
    ("samples", "pictures, npy, npz", ()),
    ("cli, config", "Job: typed and checked", (0,)),
    ("frontend", "Graph[top], raw", (1, 3)),
    ("passes", "Graph[top], canonical", (4,)),
    ("calibration", "CalibrationTable", (5, 2)),
    ("search", "CalibrationTable, QuantizeTable", (6,)),
    ("correction", "Graph[top], corrected", (7,)),
    ("lowering", "Graph[tpu]: integers, shifts, casts", (8,)),
    ("simulator", "tensors, bit for bit", (9, 2)),
    ("backends", ".bmodel", (9,)),
    ("evaluation", "similarity, task figures", (10,)),
    ("reports", "report.html, report.json, layers.csv", (12, 11)),
)
_WIDE, _HIGH, _PITCH, _MARGIN = 236, 50, 84, 14
_FILES = 3
_STYLE = """
svg { --ink: #14202b; --muted: #516170; --line: #7c8b98; --box: #ffffff; --file: #e2f0f1; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e7edf2; --muted: #9aabb9; --line: #60717f; --box: #161e26; --file: #17343a; }
}
rect { fill: var(--box); stroke: var(--line); } .file { fill: var(--file); }
path { fill: none; stroke: var(--line); stroke-width: 1.6; }
marker path { fill: var(--line); stroke: none; }
text { font: 12px system-ui, sans-serif; fill: var(--muted); text-anchor: middle; }
.name { font-size: 14px; font-weight: 650; fill: var(--ink); }
"""


def dataflow_svg() -> str:
    """The picture."""
    drawing = draw([reads for _, _, reads in STATIONS])
    wide = round(drawing.width * _WIDE + 2 * _MARGIN)
    high = (max(drawing.rank) + 1) * _PITCH - (_PITCH - _HIGH) + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
        f'height="{high}" role="img" aria-label="{escape(_words())}">',
        f"<style>{_STYLE}</style>",
        '<marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker>',
    ]
    places = [
        (x * _WIDE + _MARGIN, rank * _PITCH + _MARGIN) for x, rank in zip(drawing.x, drawing.rank)
    ]
    for a, b, bends in drawing.lines:
        lines.append(_line(places[a], places[b], [(x * _WIDE + _MARGIN, r) for x, r in bends]))
    for number, ((name, makes, _), (x, y)) in enumerate(zip(STATIONS, places)):
        kind = ' class="file"' if number < _FILES else ""
        lines += [
            f'<rect{kind} x="{x - _WIDE / 2 + 4:.1f}" y="{y}" width="{_WIDE - 8}" height="{_HIGH}" '
            'rx="9"/>',
            f'<text class="name" x="{x:.1f}" y="{y + 21}">{escape(name)}</text>',
            f'<text x="{x:.1f}" y="{y + 38}">{escape(makes)}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _words() -> str:
    """The picture for those who can not see it."""
    said = []
    for name, makes, reads in STATIONS[_FILES:]:
        said.append(f"{name} reads {', '.join(STATIONS[i][0] for i in reads)}, makes {makes}")
    return "Data flow: " + "; ".join(said)


def _line(
    start: tuple[float, float], end: tuple[float, float], bends: list[tuple[float, int]]
) -> str:
    x, y = start[0], start[1] + _HIGH
    text = f"M{x:.1f} {y}"
    for bend, rank in [*bends, (end[0], -1)]:
        top = end[1] - 2 if rank < 0 else rank * _PITCH + _MARGIN
        middle = (y + top) / 2
        text += f"C{x:.1f} {middle} {bend:.1f} {middle} {bend:.1f} {top}"
        x, y = bend, top + _HIGH
        text += "" if rank < 0 else f"V{y}"
    return f'<path d="{text}" marker-end="url(#end)"/>'
