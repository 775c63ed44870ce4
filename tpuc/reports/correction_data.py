"""What corrections did, as the report tells it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CorrectedLayer", "CorrectionStep", "CorrectionView"]


@dataclass(frozen=True)
class CorrectedLayer:
    """What became of one layer; cosines of its lowered output, 0 if it was not measured.

    Parameters
    ----------
    at : str
        Op whose output the cosines are of, where it is another one.
    """

    name: str
    before: float
    after: float
    what: str
    at: str = ""


@dataclass(frozen=True)
class CorrectionStep:
    """One correction.

    Parameters
    ----------
    samples : int
        That it learned from.
    before, after : float
        Cosine of the outputs on them.
    """

    name: str
    samples: int
    before: float
    after: float
    layers: tuple[CorrectedLayer, ...] = ()


@dataclass(frozen=True)
class CorrectionView:
    """All corrections of a build.

    Parameters
    ----------
    chosen : str
        What `correction.auto` kept; empty without it.
    trials : tuple of (name, score)
        All that it tried, in order.
    judges : int
        Samples that it chose by; nothing was learned from them.
    searched : str
        What it kept before a search, if there was one; `chosen` is what it kept behind it.
    """

    steps: tuple[CorrectionStep, ...]
    chosen: str = ""
    trials: tuple[tuple[str, float], ...] = ()
    judges: int = 0
    searched: str = ""
