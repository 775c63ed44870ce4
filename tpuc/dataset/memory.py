"""Samples that were read stay in memory for the stages that ask for them again, up to a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

__all__ = ["Memory"]

T = TypeVar("T", bound=Hashable)
Arrays = dict[str, np.ndarray]


class Memory(Generic[T]):
    """The first samples read, as long as there is room: they are what most stages begin with.

    Parameters
    ----------
    room : int
        Bytes of all of them.
    """

    def __init__(self, room: int = 64 << 20) -> None:
        self._room = room
        self._known: dict[T, Arrays] = {}
        self._lock = threading.Lock()

    def get(self, key: T, read: Callable[[], Arrays]) -> Arrays:
        """Arrays of a sample, which nobody may change."""
        found = self._known.get(key)
        if found is not None:
            return dict(found)
        made = read()
        size = sum(a.nbytes for a in made.values())
        with self._lock:
            if size <= self._room and key not in self._known:
                self._room -= size
                self._known[key] = dict(made)
        return made
