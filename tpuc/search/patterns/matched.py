"""What the matcher found."""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.search.float_ops import FloatOp

__all__ = ["Matched"]


@dataclass(frozen=True)
class Matched:
    """Float ops by experience with a family of networks.

    Parameters
    ----------
    block : str
        Name of the block that decided; empty if none occurs.
    count : int
        How often it occurs.
    pattern : tuple of FloatOp
        Rows of the section of patterns, in the order of TPU-MLIR's table.
    tail : tuple of FloatOp
        Rows that stand with the shape ops: the last stage of a head that is float in two stages.
    precise : tuple of FloatOp
        F32 rows (where the processor mixes F32 with integers); they stand with the user's own.
    symmetric : tuple of str
        Ops whose calibrated range is to be made symmetric.
    messages : tuple of str
        Lines to print, as TPU-MLIR does.
    """

    block: str = ""
    count: int = 0
    pattern: tuple[FloatOp, ...] = ()
    tail: tuple[FloatOp, ...] = ()
    precise: tuple[FloatOp, ...] = ()
    symmetric: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def ops(self) -> tuple[FloatOp, ...]:
        """All rows."""
        return (*self.pattern, *self.tail, *self.precise)
