"""One table out of several, and who decided what.

Precedence, strongest first:

    user          quantize.table
    fp_forward    named parts of the network
    precise       F32 ops of a pattern
    shape, tail   shape ops; the last stage of a head that is float in two stages
    pattern, part_quantize
    search

Source: TPU-MLIR 1.30.2, whose order is custom, shape, pattern, and whose search adds to what is
decided already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tpuc.artifacts import Choice, QuantizeTable
from tpuc.search.float_ops import SOURCES, FloatOp

__all__ = ["decided_by", "merge"]


def merge(
    ops: Iterable[FloatOp] = (),
    user: QuantizeTable | None = None,
    searched: Mapping[str, Choice] | None = None,
) -> QuantizeTable:
    """Keep for each name the row of the strongest source.

    Parameters
    ----------
    ops : iterable of FloatOp
        Of shape ops, patterns and fp_forward, in any order of sources.
    user : QuantizeTable, optional
        What the user says; its rows need not be float.
    searched : mapping of str to Choice, optional
        What a search added.

    Returns
    -------
    QuantizeTable
        Rows in the order of a table's sections: patterns, shapes, then the user's.
    """
    rows: dict[str, Choice] = {}
    for name, choice in (searched or {}).items():
        rows[name] = replace(choice, source="search")
    given = list(ops)
    for source in reversed(SOURCES):
        for op in given:
            if op.source == source and _beats(source, rows.get(op.name)):
                rows[op.name] = Choice(op.mode, op.reason, op.source)
    for name, choice in (user.choices if user else {}).items():
        rows[name] = replace(choice, source="user")
    return QuantizeTable(dict(sorted(rows.items(), key=lambda row: -_rank(row[1].source))))


def _rank(source: str) -> int:
    return SOURCES.index(source)


def _beats(source: str, other: Choice | None) -> bool:
    return other is None or _rank(source) < _rank(other.source)


def decided_by(table: QuantizeTable) -> dict[str, int]:
    """How many rows each source decided, strongest first."""
    counts = Counter(choice.source or "user" for choice in table.choices.values())
    return {source: counts[source] for source in SOURCES if counts[source]}
