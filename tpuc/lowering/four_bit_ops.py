"""Which ops compute with 4-bit numbers, and the rows of the calibration table that they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tpuc.artifacts import CalibrationTable, Range
from tpuc.errors import TableError
from tpuc.ir import Graph, Node
from tpuc.lowering.rules.four_bits import can_be_four_bits

__all__ = ["four_bit_ops", "rows_of"]


def four_bit_ops(
    graph: Graph, table: CalibrationTable | None, mode: Callable[[Node], str]
) -> frozenset[str]:
    """Ops that are to be INT4, and have such a form; others of that mode are INT8.

    Raises
    ------
    TableError : the calibration table has no 4-bit thresholds
    """
    found = {n.name for n in graph.nodes if mode(n) == "INT4" and can_be_four_bits(n)}
    if found and (table is None or not table.int4):
        raise TableError(
            "calibration table: has no section #int4_th; INT4 needs 4-bit thresholds. "
            "Hint: calibrate with quantize=int4"
        )
    return frozenset(found)


def rows_of(
    table: CalibrationTable | None, origins: Mapping[str, str], name: str
) -> tuple[Range, Range]:
    """8-bit and 4-bit row of a tensor.

    Raises
    ------
    TableError : one of them is missing
    """
    name = origins.get(name, name)
    if table is None or name not in table.ranges or name not in table.int4:
        raise TableError(
            f"calibration table: no 8-bit and 4-bit row for op '{name}'. "
            "Hint: calibrate again with quantize=int4"
        )
    return table.ranges[name], table.int4[name]
