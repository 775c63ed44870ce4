"""What a compiled op is, and how its node spells windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tpuc.ir import Node, Value
from tpuc.kernels._int8 import View
from tpuc.kernels.image import Need

__all__ = ["ImageKernel", "Run", "pads_of", "pair_of"]

Run = Callable[[Sequence[View], View, int], None]


@dataclass(frozen=True)
class ImageKernel:
    """Reads images, writes one image.

    Parameters
    ----------
    run : callable (sources, target, threads)
    inputs : tuple of Value
        The images it reads.
    need : Need
        What it reads around the first of them.
    """

    run: Run
    inputs: tuple[Value, ...]
    need: Need = field(default_factory=Need)


def pair_of(node: Node, key: str) -> tuple[int, int]:
    """A spatial attribute in two dimensions; a one-dimensional op is one row high."""
    values = node.ints(key, (1, 1))
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def pads_of(node: Node) -> tuple[int, int, int, int]:
    """(top, left, bottom, right)."""
    values = node.ints("pads", (0, 0, 0, 0))
    if len(values) == 2:
        return 0, values[0], 0, values[1]
    return values[0], values[1], values[2], values[3]
