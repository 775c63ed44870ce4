"""Chooses among corrections by trying them: `correction=auto`.

    thresholds              of the network as it is
    rewrites + thresholds   of the float network, on top of those that helped so far
    thresholds + rounding   corrections of weights and biases, on the best so far

What is nearest to float on samples that nothing was learned from wins, the simplest of equals.
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
    rewrites: Mapping[str, Callable[[T], Mapping[str, T]]],
    corrections: Mapping[str, Callable[[T], T]],
    score: Callable[[T], float],
) -> Tried[T]:
    """Try every start as it is, then every rewrite and correction on the best so far.

    Parameters
    ----------
    starts : mapping of name to candidate
        Simplest first.
    rewrites : mapping of name to what makes candidates, by start's name, of the best so far
        Empty where there is nothing to rewrite. `rewrite + name` is a candidate's name.
    corrections : mapping of name to what makes a candidate of one
        Simplest first; all start from the same one, and `start + name` is the candidate's name.
    """
    known: dict[str, T] = {}
    trials: list[Trial] = []

    def add(candidates: Mapping[str, T]) -> str:
        for name, candidate in candidates.items():
            known[name] = candidate
            trials.append(Trial(name, score(candidate)))
        return max(trials, key=lambda t: t.score).name

    best, kept = add(starts), ""
    for name, rewrite in rewrites.items():
        made = {f"{kept}{name} + {start}": c for start, c in rewrite(known[best]).items()}
        better = add(made)
        if better != best:
            best, kept = better, f"{kept}{name} + "
    first = best
    for name, correct in corrections.items():
        best = add({f"{first} + {name}": correct(known[first])})
    return Tried(best, known[best], tuple(trials))
