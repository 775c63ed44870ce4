"""The stage correct at work: single corrections, or all of them compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.config import Job
from tpuc.correction import (
    Bench,
    Corrected,
    Learning,
    Pair,
    Trial,
    correct_biases,
    learn_rounding,
    output_cosine,
    try_all,
)
from tpuc.dataset import Samples
from tpuc.ir import Graph
from tpuc.pipeline.smoothing import Rewriter, Rewritten, Step

__all__ = ["CorrectedBuild", "CorrectionInputs", "Work"]

_BATCH = 4


@dataclass(frozen=True)
class CorrectedBuild:
    """Result of the stage.

    Parameters
    ----------
    base : Rewritten
        The float network whose weights and biases were corrected.
    steps : tuple of Step
        What was done to them.
    chosen : str
        What `correction.auto` kept; empty without it.
    """

    graph: Graph
    table: CalibrationTable
    base: Rewritten
    steps: tuple[Step, ...] = ()
    chosen: str = ""
    trials: tuple[Trial, ...] = ()
    cached: bool = False


@dataclass(frozen=True)
class CorrectionInputs:
    """What the stage works on.

    Parameters
    ----------
    start : Rewritten
        The float network that thresholds were found for.
    tables : dict of name to CalibrationTable
        The build's own first; `auto` tries the others too.
    learn, judge : Samples
        That corrections learn from, and that `auto` compares on.
    rewriter : Rewriter
    rewrites : tuple of str
        Corrections of the float network that `auto` tries.
    only_rewrites : bool
        A search comes first: weights and biases are corrected behind it.
    """

    start: Rewritten
    tables: dict[str, CalibrationTable]
    choices: QuantizeTable
    learn: Samples
    judge: Samples | None
    rewriter: Rewriter
    rewrites: tuple[str, ...] = ()
    only_rewrites: bool = False


class Work:
    """The stage at work."""

    def __init__(self, job: Job, inputs: CorrectionInputs) -> None:
        self.job, self.inputs = job, inputs
        self.processor, self.threads = inputs.rewriter.processor, inputs.rewriter.threads

    def run(self) -> CorrectedBuild:
        """Correct as the job says."""
        start = self.inputs.start
        starts = {n: CorrectedBuild(start.graph, t, start) for n, t in self.inputs.tables.items()}
        c = self.job.correction
        if not c.auto:
            build = next(iter(starts.values()))
            build = self._rounded(build) if c.adaround else build
            return self._biased(c.min_layer_cos, build) if c.bias_correction else build
        rewrites: dict[str, Callable[[CorrectedBuild], Mapping[str, CorrectedBuild]]] = {
            name: partial(self._rewritten, name) for name in self.inputs.rewrites
        }
        corrections: dict[str, Callable[[CorrectedBuild], CorrectedBuild]] = {
            f"bias_correction (min_layer_cos={c.min_layer_cos:g})": partial(
                self._biased, c.min_layer_cos
            ),
            "bias_correction (min_layer_cos=1)": partial(self._biased, 1.0),
            "adaround": self._rounded,
        }
        if self.inputs.only_rewrites:
            corrections = {}
        found = try_all(starts, rewrites, corrections, self._scorer())
        return replace(found.best, chosen=found.name, trials=found.trials)

    def _rewritten(self, name: str, build: CorrectedBuild) -> dict[str, CorrectedBuild]:
        """Builds, by thresholds, of a network that is rewritten once more; none if it stays."""
        rewriter = self.inputs.rewriter
        made = rewriter.rewrite(build.base, name)
        if not made.changed:
            return {}
        tables = rewriter.calibrated(made).tables
        return {
            method: CorrectedBuild(made.graph, rewriter.final(table, made), made)
            for method, table in tables.items()
        }

    def _lower(self, table: CalibrationTable) -> Callable[[Graph], Graph]:
        from tpuc.lowering import Lowerer, Memo

        memo, asymmetric = Memo(), self.job.quantize.asymmetric
        mode = self.job.quantize.mode.name

        def run(graph: Graph) -> Graph:
            lowerer = Lowerer(graph, self.processor, memo)
            return lowerer.lower(table, mode, self.inputs.choices, asymmetric).graph

        return run

    def _bench(self, reference: Graph, table: CalibrationTable, samples: Samples) -> Bench:
        from tpuc.lowering import float_twin
        from tpuc.simulator import SideBySide

        batches = list(samples.batches(_BATCH))
        rows = sum(len(next(iter(batch.values()))) for batch in batches)

        def pair(one: Graph, other: Graph) -> Pair:
            return SideBySide(one, other, batches, self.threads)

        return Bench(float_twin(reference), self._lower(table), pair, rows, self.threads)

    def _biased(self, min_layer_cos: float, build: CorrectedBuild) -> CorrectedBuild:
        samples = self.inputs.learn[: self.job.correction.bc_inference_num]
        bench = self._bench(build.base.graph, build.table, samples)
        found = correct_biases(build.graph, bench, min_layer_cos)
        return _with(build, "bias_correction", len(samples), found)

    def _rounded(self, build: CorrectedBuild) -> CorrectedBuild:
        samples = self.inputs.learn[: self.job.correction.adaround_num]
        bench = self._bench(build.base.graph, build.table, samples)
        found = learn_rounding(build.graph, bench, Learning(seed=self.job.seed))
        return _with(build, "adaround", len(samples), found)

    def _scorer(self) -> Callable[[CorrectedBuild], float]:
        """Mean cosine of the outputs on the samples to choose by."""
        assert self.inputs.judge is not None
        table = next(iter(self.inputs.tables.values()))
        bench = self._bench(self.inputs.start.graph, table, self.inputs.judge)

        def score(build: CorrectedBuild) -> float:
            own = replace(bench, lower=self._lower(build.table))
            return output_cosine(build.graph, own)

        return score


def _with(build: CorrectedBuild, name: str, samples: int, found: Corrected) -> CorrectedBuild:
    step = Step(name, samples, found.before, found.after, found.notes)
    return replace(build, graph=found.graph, steps=(*build.steps, step))
