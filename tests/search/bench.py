"""A real network on few samples, for tests of searches."""

from __future__ import annotations

import numpy as np

from tests.golden import networks
from tpuc.artifacts import QuantizeTable
from tpuc.calibration import Options, calibrate
from tpuc.ir import Graph
from tpuc.lowering import Lowerer, float_twin
from tpuc.processors import Processor
from tpuc.search import (
    Bench,
    Journal,
    Limits,
    Objective,
    Start,
    Trials,
    inferences,
    parse_compare_layers,
)
from tpuc.simulator import FloatEngine, IncrementalRunner, Program

METHODS = ("kl", "mse", "max", "percentile9999")
BATCHES = [{"input": np.concatenate([networks.sample(i + k) for k in range(2)])} for i in (0, 2)]


class Workbench:
    """Tables of four methods, and trials on four samples."""

    def __init__(self, graph: Graph, processor: Processor, threads: int = 2) -> None:
        self.graph, self.threads = graph, threads
        self.lowerer = Lowerer(graph, processor)
        engine = FloatEngine(float_twin(graph))
        options = Options(METHODS, 4, threads=1)
        self.tables = calibrate(graph, engine, BATCHES, options).tables
        names, rates = parse_compare_layers(None, graph)
        self.objective = Objective(names, rates)
        self.reference = []
        for batch in BATCHES:
            outputs = engine.run(batch)
            one = {n: outputs[n] for n in names}
            self.reference += [self.objective.final(o) for o in inferences(one, graph)]

    def lower(self, table, qtable) -> Graph:
        """A lowered network."""
        return self.lowerer.lower(table, "INT8", qtable).graph

    def trials(self, journal: Journal | None = None, limits: Limits | None = None) -> Trials:
        """Fresh trials."""
        first = [{n: a[:1] for n, a in BATCHES[0].items()}]
        bench = Bench(
            self.graph,
            self.lower,
            IncrementalRunner(BATCHES, self.threads),
            IncrementalRunner(first, self.threads),
            self.reference,
            self.objective,
        )
        return Trials(bench, Journal() if journal is None else journal, limits)

    def start(self) -> Start:
        """From mse, with nothing decided."""
        return Start(self.tables["mse"], QuantizeTable(), "F16")

    def full_score(self, table, qtable) -> float:
        """Score of a network that is run from its first op to its last."""
        lowered = self.lower(table, qtable)
        program, total = Program(lowered, 1), 0.0
        output, name = lowered.outputs[0].name, self.graph.outputs[0].name
        rows = [row for b in BATCHES for row in program.run(b)[output]]
        for row, reference in zip(rows, self.reference):
            a, b = reference[name].ravel().astype(np.float64), row.ravel().astype(np.float64)
            total += 0.5 + 0.5 * float(a @ b) / float(np.linalg.norm(a) * np.linalg.norm(b))
        return total / len(rows)
