"""What a correction made of a network, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from tpuc.ir import Graph

__all__ = ["Corrected", "LayerNote"]


@dataclass(frozen=True)
class LayerNote:
    """What became of one layer.

    Parameters
    ----------
    name : str
    before, after : float
        Cosine of its lowered output against float; both 0 if it was not measured.
    what : str
        What was done, or why nothing was.
    at : str
        Op whose output the cosines are of, where it is another one.
    """

    name: str
    before: float
    after: float
    what: str
    at: str = ""


@dataclass(frozen=True)
class Corrected:
    """A corrected network.

    Parameters
    ----------
    graph : Graph
        Dialect `top`.
    before, after : float
        Mean cosine of the outputs on the samples of the correction.
    """

    graph: Graph
    notes: tuple[LayerNote, ...]
    before: float
    after: float
