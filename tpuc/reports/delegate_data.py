"""What TPU-MLIR made of the same graph and tables, as the report tells it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Delegate", "DelegateRow"]


@dataclass(frozen=True)
class DelegateRow:
    """An output of our simulation against TPU-MLIR's bmodel.

    Parameters
    ----------
    equal : float
        Share of numbers that are equal.
    most : float
        Largest difference, real units.
    """

    name: str
    equal: float
    most: float
    cos: float


@dataclass(frozen=True)
class Delegate:
    """A build handed to TPU-MLIR.

    Parameters
    ----------
    folder : str
        Where its programs are.
    samples : int
        Run on its chip simulator.
    """

    folder: str
    samples: int
    rows: tuple[DelegateRow, ...] = ()
