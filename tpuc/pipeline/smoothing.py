"""Corrections of the float network, before thresholds are found; its outputs stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tpuc.config import Job
from tpuc.correction import (
    LayerNote,
    Tensors,
    correct_softmaxes,
    equalize_weights,
    smooth_activations,
)
from tpuc.dataset import Samples
from tpuc.ir import Graph

__all__ = ["Step", "corrected_before", "is_correcting_before"]

_BATCH = 8


@dataclass(frozen=True)
class Step:
    """One correction that the build has.

    Parameters
    ----------
    before, after : float
        Mean cosine of the outputs on the samples that it learned from.
    """

    name: str
    samples: int
    before: float
    after: float
    layers: tuple[LayerNote, ...]


def is_correcting_before(job: Job) -> bool:
    """Whether the job corrects anything before thresholds are found."""
    c = job.correction
    return c.smoothquant or c.weight_equalization or c.softmax_correction


def corrected_before(
    job: Job, graph: Graph, samples: Samples | None, threads: int
) -> tuple[Graph, tuple[Step, ...]]:
    """The graph that thresholds are found for, and what was done to it.

    Parameters
    ----------
    samples : Samples, optional
        That the calibration uses.
    """
    steps: tuple[Step, ...] = ()
    if job.correction.smoothquant and samples is not None:
        found = smooth_activations(graph, _float_tensors(graph, samples, threads))
        graph, steps = found.graph, (Step("smoothquant", len(samples), 0.0, 0.0, found.notes),)
    if job.correction.weight_equalization:
        found = equalize_weights(graph)
        graph = found.graph
        steps += (Step("weight_equalization", 0, 0.0, 0.0, found.notes),)
    if job.correction.softmax_correction and samples is not None:
        found = correct_softmaxes(graph, _float_tensors(graph, samples, threads))
        graph = found.graph
        steps += (Step("softmax_correction", len(samples), 0.0, 0.0, found.notes),)
    return graph, steps


def _float_tensors(graph: Graph, samples: Samples, threads: int) -> Tensors:
    from tpuc.lowering import float_twin
    from tpuc.simulator import FloatEngine

    engine = FloatEngine(float_twin(graph), threads)

    def tensors(names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        for batch in samples.batches(_BATCH):
            yield engine.run(batch, list(names))

    return tensors
