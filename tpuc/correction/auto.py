"""Chooses among corrections by trying them: `correction=auto`.

Thresholds are compared first, uncorrected; corrections then start from the best of them. What is
nearest to float on samples that nothing was learned from wins, the simplest of equals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Trial", "Tried", "try_all"]

T = TypeVar("T")


@dataclass(frozen=True)
class Trial:
    """Score of one candidate: mean cosine of the outputs."""

    name: str
    score: float


@dataclass(frozen=True)
class Tried(Generic[T]):
    """The winner, and all scores in the order of trying."""

    name: str
    best: T
    trials: tuple[Trial, ...]


def try_all(
    starts: Mapping[str, T],
    corrections: Mapping[str, Callable[[T], T]],
    score: Callable[[T], float],
) -> Tried[T]:
    """Try every start as it is, then every correction on the best one.

    Parameters
    ----------
    starts : mapping of name to candidate
        Simplest first.
    corrections : mapping of name to what makes a candidate of one
        Simplest first; `name + name` of start and correction is the candidate's.
    """
    trials = [Trial(name, score(candidate)) for name, candidate in starts.items()]
    first = max(trials, key=lambda t: t.score)
    known = dict(starts)
    for name, correct in corrections.items():
        title = f"{first.name} + {name}"
        known[title] = correct(starts[first.name])
        trials.append(Trial(title, score(known[title])))
    winner = max(trials, key=lambda t: t.score)
    return Tried(winner.name, known[winner.name], tuple(trials))
