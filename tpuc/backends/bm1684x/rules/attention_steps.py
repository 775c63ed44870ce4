"""What the forms of attention share: constants in local memory, and what a step has to do."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tpuc.backends.bm1684x.command import LANES, Element, Local
from tpuc.backends.bm1684x.emitter import Emitter, Remote, element_of
from tpuc.backends.bm1684x.floats import stored
from tpuc.ir import DType, Node

__all__ = ["BIASES", "MASK", "TABLE", "WEIGHTS", "Steps", "everywhere", "load_mask", "load_matrix"]

WEIGHTS = (3, 5, 7, 9)  # of queries, keys, values, result
BIASES = (4, 6, 8, 10)
MASK, TABLE = 11, 12


class Steps(Protocol):
    """A head with its constants in local memory; `which` of queries, keys, values, result."""

    def __init__(self, e: Emitter, node: Node) -> None: ...

    def take(self, which: int, rows: int) -> Local:
        """Room for a matrix."""

    def line(self, x: Local, which: int, y: Local) -> None:
        """y = x w + b."""

    def mask(self, n: int) -> Local | None:
        """What is done to the products of sample n, the same in each lane."""

    def shares(self, q: Local, k: Local, mask: Local | None) -> Local:
        """softmax(q k^T * scale + mask)."""

    def mix(self, shares: Local, v: Local) -> Local:
        """shares v."""


def load_matrix(e: Emitter, array: np.ndarray, dtype: DType, element: Element) -> Local:
    """A constant matrix, a row in each lane."""
    rows, width = array.shape
    place = e.take((1, rows, 1, width), element)
    e.load(Remote(e.constant(stored(array, dtype)), (0, width, 0, 1)), place)
    return place


def everywhere(e: Emitter, array: np.ndarray, element: Element) -> Local:
    """The same numbers in each lane."""
    flat = array.reshape(-1)
    place = e.take((1, LANES, 1, flat.size), element)
    e.load(Remote(e.constant(flat), (0, 0, 0, 1)), place)
    return place


def load_mask(e: Emitter, node: Node, n: int) -> Local | None:
    """The numbers of sample n, in each lane."""
    value = node.inputs[MASK] if len(node.inputs) > MASK else None
    if value is None:
        return None
    tokens, element = node.activations[0].shape[1], element_of(value)
    place = e.take((1, LANES, 1, tokens), element)
    start = e.addresses[value.name] + (n % value.shape[0]) * tokens * element.size
    e.load(Remote(start, (0, 0, 0, 1)), place)
    return place
