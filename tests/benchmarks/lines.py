"""What a benchmark says: one line of the table each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Line", "print_lines", "verdict"]


@dataclass(frozen=True)
class Line:
    """One figure.

    Parameters
    ----------
    figure : str
        What was measured, with its conditions.
    measured : str
        With its unit.
    against : str
        What it is held against: the other program's figure, or nothing.
    goal : str
    met : bool, optional
        None: there is no goal, or what it needs is not here.
    """

    figure: str
    measured: str
    against: str = ""
    goal: str = ""
    met: bool | None = None


def verdict(met: bool | None) -> str:
    """One word for the last column."""
    return {True: "met", False: "MISSED", None: ""}[met]


def print_lines(lines: Iterable[Line]) -> bool:
    """Print a table as lines arrive; True if no goal was missed."""
    widths = (62, 16, 26, 22)
    head = ("figure", "measured", "against", "goal")
    print("  ".join(h.ljust(w) for h, w in zip(head, widths)) + "  ")
    print("  ".join("-" * w for w in widths) + "  ------")
    fine = True
    for line in lines:
        cells = (line.figure, line.measured, line.against, line.goal)
        row = "  ".join(c.ljust(w) for c, w in zip(cells, widths))
        print(f"{row}  {verdict(line.met)}", flush=True)
        fine = fine and line.met is not False
    return fine
