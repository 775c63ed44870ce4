"""A network on a bench, for tests of corrections."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.golden import networks
from tpuc.calibration import Options, calibrate
from tpuc.correction import Bench
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.lowering import Lowerer, Memo, float_twin
from tpuc.passes import canonicalize
from tpuc.processors import Processor
from tpuc.simulator import FloatEngine, SideBySide
from tpuc.zoo.digits import make_model

__all__ = ["Stand", "digits_network", "made_pictures"]


def digits_network(folder: Path) -> Graph:
    """The small trained network of the package."""
    graph = read_onnx(make_model(folder))
    canonicalize(graph)
    return graph


def made_pictures(first: int, count: int) -> np.ndarray:
    """Samples of the golden networks."""
    return np.concatenate([networks.sample(first + i) for i in range(count)])


class Stand:
    """Thresholds of largest values on some samples, and a bench on the same.

    Parameters
    ----------
    floats : collection of str
        Ops that are F16.
    """

    def __init__(
        self, graph: Graph, processor: Processor, pictures: np.ndarray, choices=None
    ) -> None:
        self.graph, self.processor, self.choices = graph, processor, choices
        self.samples = len(pictures)
        half = self.samples // 2
        self.batches = [{"input": pictures[:half]}, {"input": pictures[half:]}]
        engine = FloatEngine(float_twin(graph))
        options = Options(("max",), self.samples, threads=1)
        self.table = calibrate(graph, engine, self.batches, options).tables["max"]

    def lower(self, graph: Graph) -> Graph:
        """Lowered from nothing."""
        return Lowerer(graph, self.processor).lower(self.table, "INT8", self.choices).graph

    def bench(self, threads: int = 2) -> Bench:
        """A fresh bench."""
        memo = Memo()
        return Bench(
            float_twin(self.graph),
            lambda g: (
                Lowerer(g, self.processor, memo).lower(self.table, "INT8", self.choices).graph
            ),
            lambda one, other: SideBySide(one, other, self.batches, threads),
            self.samples,
            threads,
        )
