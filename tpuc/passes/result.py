"""What a pass did."""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.errors import Skip

__all__ = ["PassResult"]


@dataclass(frozen=True)
class PassResult:
    """How often a pass applied, and where it nearly did and why not.

    Parameters
    ----------
    count : int
        Applications.
    skips : tuple of Skip
        Near misses with their reasons; reports print them.
    name : str
        Name of the pass, filled in by the runner.
    """

    count: int
    skips: tuple[Skip, ...] = ()
    name: str = ""
