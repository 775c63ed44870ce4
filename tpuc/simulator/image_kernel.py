"""What a compiled op is, and how its node spells windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tpuc.ir import Node, Value
from tpuc.kernels._int8 import View
from tpuc.kernels.image import Need
from tpuc.kernels.requant_words import Rounding

__all__ = ["ImageKernel", "Plan", "Run", "pads_of", "pair_of", "planned", "rounding_of"]

Run = Callable[[Sequence[View], View, int], None]

Plan = Callable[[Sequence[View], View], Callable[[int], None]]
"""Prepares a run on certain images; the result runs as often as wanted on so many threads."""


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
    plan : callable (sources, target), optional
        Quicker than `run` if the images stay the same.
    """

    run: Run
    inputs: tuple[Value, ...]
    need: Need = field(default_factory=Need)
    plan: Plan | None = None

    def on(self, sources: Sequence[View], target: View) -> Callable[[int], None]:
        """The kernel, ready to run on these images with so many threads."""
        if self.plan is not None:
            return self.plan(sources, target)
        return lambda threads: self.run(sources, target, threads)


def planned(plan: Plan, inputs: tuple[Value, ...]) -> ImageKernel:
    """A kernel that is its plan."""
    return ImageKernel(lambda sources, target, t: plan(sources, target)(t), inputs, plan=plan)


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


def rounding_of(node: Node) -> Rounding:
    """How an integer op shifts its products."""
    if node.attrs.get("quant_mode") == "QDM":
        return Rounding.TWO_STEPS
    return Rounding.UP if node.attrs["round_mode"] == "HalfUp" else Rounding.AWAY
