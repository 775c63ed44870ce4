"""What a campaign says: one row of the fault table each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Tried", "print_table"]


@dataclass(frozen=True)
class Tried:
    """One kind of fault.

    Parameters
    ----------
    fault : str
        What was done.
    times : int
    lost : int
        How often it did harm: a crash, a hang, other bytes, a half-written file.
    notes : str
    """

    fault: str
    times: int
    lost: int
    notes: str = ""


def print_table(rows: Iterable[Tried]) -> bool:
    """Print rows as they arrive; True if nothing was lost."""
    print(f"{'fault':34}  {'times':>8}  {'lost':>5}  notes")
    fine = True
    for row in rows:
        print(f"{row.fault:34}  {row.times:8}  {row.lost:5}  {row.notes}", flush=True)
        fine = fine and not row.lost
    return fine
