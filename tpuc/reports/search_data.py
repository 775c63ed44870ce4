"""What a search found, as the report tells it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mix", "SearchView", "SearchedOp"]


@dataclass(frozen=True)
class SearchedOp:
    """What quantizing one op alone costs.

    Parameters
    ----------
    loss : float
        1 - score, all other searched ops being float.
    tries : tuple of (method, loss)
        Thresholds that were tried; the first with `loss` is in the table.
    dtype : str
        Type that the op got in the end.
    """

    name: str
    type: str
    loss: float
    method: str
    tries: tuple[tuple[str, float], ...] = ()
    dtype: str = ""


@dataclass(frozen=True)
class Mix:
    """Ops that are float together, the cost relative to all quantized, and the score.

    Parameters
    ----------
    int8_ops : tuple of str
        In 8 bits where others have 4; the cost is then relative to all in 8 bits.
    """

    float_ops: tuple[str, ...]
    cost: float
    cos: float
    int8_ops: tuple[str, ...] = ()


@dataclass(frozen=True)
class SearchView:
    """What a search found, for readers.

    Parameters
    ----------
    method : str
    samples : int
        That chose; none of them judges.
    before, after, goal : float
        Score with every op quantized, score of the result, and what was asked for.
    ops : tuple of SearchedOp
        Largest loss first.
    scores : tuple of (label, score)
        Of whole tables: by calibration method, or by number of float ops.
    front : tuple of Mix
        Best mixes, cheapest first.
    stopped : str
        Why it ended early; empty if it did not.
    low, high : str
        Type of every op before, and the one that the search gave to ops: "quantized" and "float".
    chosen : tuple of str
        These ops.
    """

    method: str
    samples: int
    before: float
    after: float
    goal: float
    ops: tuple[SearchedOp, ...] = ()
    scores: tuple[tuple[str, float], ...] = ()
    front: tuple[Mix, ...] = ()
    stopped: str = ""
    low: str = "quantized"
    high: str = "float"
    chosen: tuple[str, ...] = ()
