"""Inputs that are rows of a table, such as ids of words: which values they may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tpuc.errors import DataError
from tpuc.ir import Graph

__all__ = ["Places", "check_places", "find_places"]


@dataclass(frozen=True)
class Places:
    """Values of input `name`: rows of the table of `rows` rows that op `reader` looks up."""

    name: str
    rows: int
    reader: str


def find_places(graph: Graph) -> tuple[Places, ...]:
    """Inputs that a Gather takes as rows of a constant table, the smallest table of each."""
    inputs = {n.output.name: n.name for n in graph.nodes if n.op == "Input"}
    found: dict[str, Places] = {}
    for node in graph.nodes:
        if node.op != "Gather":
            continue
        table, at = node.inputs[:2]
        if table is None or table.data is None or at is None or at.name not in inputs:
            continue
        rows = table.data.shape[node.integer("axis")]
        name = inputs[at.name]
        if name not in found or rows < found[name].rows:
            found[name] = Places(name, rows, str(node))
    return tuple(found.values())


def check_places(feed: dict[str, np.ndarray], places: tuple[Places, ...], where: object) -> None:
    """Check one sample.

    Raises
    ------
    DataError : a value is beyond the rows of its table (a negative one counts from the end)
    """
    for known in places:
        values, rows = feed[known.name], known.rows
        wrong = values[(values < -rows) | (values >= rows)]
        if wrong.size:
            raise DataError(
                f"{where}: '{known.name}': {wrong.flat[0]:g} is out of range; expected 0 to "
                f"{rows - 1}, rows of the table of {known.reader}"
            )
