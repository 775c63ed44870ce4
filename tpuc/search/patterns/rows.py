"""The list of float ops that the rules of a family fill: in order, each once, with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tpuc.search.float_ops import FloatOp
from tpuc.search.patterns.program import Program

__all__ = ["Rows"]


class Rows:
    """Names in the order in which they were added first.

    Parameters
    ----------
    block : str
        Begins the reason of each op that a rule adds.
    kept : mapping of str to str, optional
        Ops that are float because of their type (`quantize.part_quantize`), with reasons. They
        come first, and rules treat them as their own.
    """

    def __init__(self, block: str, kept: Mapping[str, str] | None = None) -> None:
        self.block = block
        self._rows = {n: (why, True) for n, why in (kept or {}).items()}

    def add(self, name: str, why: str) -> None:
        """Add an op, unless it is there."""
        self._rows.setdefault(name, (f"{self.block}: {why}", False))

    def remove(self, name: str) -> None:
        """Take an op out, if it is there."""
        self._rows.pop(name, None)

    def sort(self, names: list[str]) -> None:
        """Put the ops in the order of `names`."""
        self._rows = {n: self._rows[n] for n in names if n in self._rows}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def float_ops(
        self, program: Program, mode: str, source: str = "pattern"
    ) -> tuple[FloatOp, ...]:
        """Rows of a table; an op with several results has one for each.

        Parameters
        ----------
        source : str
            Of the rows that a rule added.
        """
        found: dict[str, FloatOp] = {}
        for name, (why, kept) in self._rows.items():
            who = "part_quantize" if kept and source == "pattern" else source
            for row in program.results(name):
                found.setdefault(row, FloatOp(row, program.op_name(row), mode, who, why))
        return tuple(found.values())
