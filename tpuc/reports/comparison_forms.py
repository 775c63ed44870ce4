"""A comparison of two runs as text for the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Sequence

from tpuc.reports import wording
from tpuc.reports.charts import line
from tpuc.reports.comparison import Comparison, Difference, LayerPair
from tpuc.reports.page import render
from tpuc.reports.view import Panel, sqnr_scale

__all__ = ["comparison_html", "comparison_text"]

_MOST_ROWS = 40
_SIGNS = {"better": "+", "worse": "-", "alike": "=", "": " "}


def comparison_text(found: Comparison, every: bool = False) -> str:
    """For the terminal; ops whose SQNR, type or threshold differs, the largest changes first.

    Parameters
    ----------
    every : bool
        All ops, in program order.
    """
    lines = [f"A  {found.names[0]}", f"B  {found.names[1]}", "", found.summary]
    for title, rows in _blocks(found):
        if rows:
            lines += ["", title, *_table(rows)]
    pairs = found.layers if every else _changed(found.layers)
    if pairs:
        lines += ["", "ops (SQNR, type, threshold: A | B)", *map(_layer, pairs[: _most(every)])]
    left = len(pairs) - len(pairs[: _most(every)])
    if left:
        lines.append(f"  and {left} more; --all shows every op")
    for title, names in (("only in A", found.only_first), ("only in B", found.only_second)):
        if names:
            lines += ["", f"{title}: {', '.join(names)}"]
    return "\n".join(lines)


def _most(every: bool) -> int | None:
    return None if every else _MOST_ROWS


def _blocks(found: Comparison) -> tuple[tuple[str, Sequence[Difference]], ...]:
    return (
        ("configuration", found.config),
        ("accuracy", found.accuracy),
        ("cost", found.cost),
        ("time", found.timings),
    )


def _table(rows: Sequence[Difference]) -> list[str]:
    wide = [max(len(getattr(row, cell)) for row in rows) for cell in ("name", "first", "second")]
    return [
        f"  {_SIGNS[r.judged]} {r.name:<{wide[0]}}  {r.first:>{wide[1]}} | {r.second:<{wide[2]}}"
        f"  {r.change}".rstrip()
        for r in rows
    ]


def _changed(layers: Sequence[LayerPair]) -> list[LayerPair]:
    kept = [pair for pair in layers if pair.changed]
    return sorted(kept, key=lambda pair: -abs(pair.gain_db or 0.0))


def _layer(pair: LayerPair) -> str:
    noise = " | ".join(f"{wording.decibel(v):>8}" for v in pair.sqnr_db)
    types = pair.dtypes[0] if pair.dtypes[0] == pair.dtypes[1] else " | ".join(pair.dtypes)
    cuts = [wording.real(t) for t in pair.thresholds]
    cut = cuts[0] if cuts[0] == cuts[1] else " | ".join(cuts)
    return f"  {_SIGNS[pair.judged]} {noise}  {types:<10}  {cut:<19}  {pair.type} {pair.name}"


def comparison_html(found: Comparison) -> str:
    """The whole page."""
    return render(
        "compare.html.j2",
        found=found,
        blocks=[(title.capitalize(), rows) for title, rows in _blocks(found) if rows],
        panel=_panel(found.layers),
        changed=sum(pair.changed for pair in found.layers),
        signs=_SIGNS,
    )


def _panel(layers: Sequence[LayerPair]) -> Panel | None:
    """SQNR of both runs along the network."""
    noise = [v for pair in layers for v in pair.sqnr_db]
    scaled = sqnr_scale(noise)
    if scaled is None:
        return None
    scale, ticks = scaled
    strokes = tuple(
        (
            kind,
            line(
                ((i + 0.5) / len(layers), scale(value))
                for i, pair in enumerate(layers)
                if (value := pair.sqnr_db[side]) is not None
            ),
        )
        for side, kind in enumerate(("run-a", "run-b"))
    )
    return Panel("Signal to quantization noise", "decibel, more is better", ticks, strokes)
