"""Ranges made symmetric for ops that a pattern names.

    min = -threshold * 128 / 127, or 0 if the tensor has no negative values;  max = threshold

so that asymmetric quantization of them comes out as symmetric. Source: TPU-MLIR 1.30.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tpuc.artifacts import CalibrationTable, Range

__all__ = ["with_symmetric"]


def with_symmetric(table: CalibrationTable, names: Iterable[str]) -> CalibrationTable:
    """A table in which the named ops have symmetric ranges, and stand in their own section.

    Names that the table does not have are left out.
    """
    found = tuple(name for name in names if name in table.ranges)
    if not found:
        return table
    ranges = dict(table.ranges)
    for name in found:
        ranges[name] = _symmetric(ranges[name])
    return replace(table, ranges=ranges, symmetric_ops=found)


def _symmetric(row: Range) -> Range:
    least = 0.0 if row.min >= 0 else round(-row.threshold * 128 / 127, 7)
    return Range(row.threshold, least, row.threshold)
