"""What the two engines of a chip do, as the report shows it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timeline", "Work"]


@dataclass(frozen=True)
class Work:
    """Commands of one engine that follow one another and belong to one op.

    Parameters
    ----------
    engine : str
        `tiu` computes, `dma` moves.
    name : str
        Of the op.
    kind : str
        What most of its cycles are for: `conv`, `window`, `load`, `store`, ...
    start, end : int
        In cycles.
    commands : int
    """

    engine: str
    name: str
    kind: str
    start: int
    end: int
    commands: int


@dataclass(frozen=True)
class Timeline:
    """Both engines from the first command to the last.

    Parameters
    ----------
    cycles : int
        Until both are done.
    clock_mhz : float
        0 if it is not known.
    work : tuple of Work
    """

    cycles: int
    clock_mhz: float
    work: tuple[Work, ...]
