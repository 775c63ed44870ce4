"""Corrections of the float network, before thresholds are found; its outputs stay.

Each is a stage of its own in the cache: network and samples in, network and notes out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.cache import StageCache, digest_file
from tpuc.calibration import table as table_text
from tpuc.calibration.symmetric import with_symmetric
from tpuc.config import Job
from tpuc.correction import (
    Corrected,
    LayerNote,
    Tensors,
    correct_softmaxes,
    equalize_weights,
    smooth_activations,
    with_unit_ranges,
)
from tpuc.dataset import Samples
from tpuc.files import write_whole
from tpuc.ir import Graph
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir
from tpuc.pipeline.calibrating import Calibrated, CalibrationInputs, calibrate_job
from tpuc.pipeline.evaluating import Evaluated, evaluate
from tpuc.processors import Processor
from tpuc.reports import Note
from tpuc.search import qtable as qtable_text

__all__ = ["REWRITES", "Rewriter", "Rewritten", "Step", "rewrites_to_try",
           "thresholds_note", "wanted_rewrites"]  # fmt: skip

REWRITES = ("smoothquant", "weight_equalization", "softmax_correction")
"""In their order."""

_BATCH = 8


@dataclass(frozen=True)
class Step:
    """One correction that the build has.

    Parameters
    ----------
    before, after : float
        Mean cosine of the outputs on the samples that it learned from; both 0 if not measured.
    """

    name: str
    samples: int
    before: float
    after: float
    layers: tuple[LayerNote, ...]


@dataclass(frozen=True)
class Rewritten:
    """A float network, and what made it.

    Parameters
    ----------
    key : str
        Identity of the graph.
    steps : tuple of Step
        First to last, since the network as it was imported.
    changed : bool
        Whether the last step found anything to do.
    """

    graph: Graph
    key: str
    steps: tuple[Step, ...] = ()
    changed: bool = False
    cached: bool = False


def wanted_rewrites(job: Job) -> tuple[str, ...]:
    """What the job corrects before thresholds are found."""
    return tuple(name for name in REWRITES if getattr(job.correction, name))


def rewrites_to_try(job: Job) -> tuple[str, ...]:
    """What `correction.auto` tries: all that the job does not do anyway.

    None where thresholds come from a file: they belong to the network as it is.
    """
    if not job.correction.auto or job.calibration.method.name == "from_file":
        return ()
    return _not_wanted(job)


def _not_wanted(job: Job) -> tuple[str, ...]:
    return tuple(name for name in REWRITES if name not in wanted_rewrites(job))


def thresholds_note(job: Job) -> list[Note]:
    """What it means for corrections before calibration that thresholds come from a file."""
    if job.calibration.method.name != "from_file":
        return []
    untried, done = _not_wanted(job) if job.correction.auto else (), wanted_rewrites(job)
    notes = []
    if untried:
        said = "not tried, as thresholds come from a file: they belong to the network as it is"
        notes.append(Note(f"correction.auto: {', '.join(untried)}", said))
    if done:
        said = "taken as those of the corrected network: nothing was measured"
        notes.append(Note(f"{', '.join(done)}: thresholds of calibration.table", said))
    return notes


@dataclass
class Rewriter:
    """Corrects float networks, and measures what that is worth.

    Parameters
    ----------
    samples : Samples, optional
        All of the dataset.
    choices : QuantizeTable
    symmetric : tuple of str
        Ops whose range the matched family of networks wants symmetric.
    """

    job: Job
    processor: Processor
    samples: Samples | None
    choices: QuantizeTable
    symmetric: tuple[str, ...]
    threads: int
    cache: StageCache
    together: tuple[str, ...] = ()

    def rewrite(self, start: Rewritten, name: str) -> Rewritten:
        """Do one correction; from the cache where possible."""
        learn = self.learn
        facts = {"graph": start.key, "name": name, "samples": list(learn.digests) if learn else []}

        def compute(folder: Path) -> None:
            found = _correct(start.graph, name, self._tensors(start.graph))
            save_weights(found.graph, folder / "rewritten_top_weights.npz")
            text = print_mlir(found.graph, "rewritten_top_weights.npz")
            write_whole(folder / "rewritten.mlir", text)
            notes = {
                "layers": [asdict(note) for note in found.notes],
                "changed": _differs(start.graph, found.graph),
            }
            write_whole(folder / "notes.json", json.dumps(notes))

        place, cached = self.cache.get("rewrite", facts, compute)
        notes = json.loads((place / "notes.json").read_text())
        layers = tuple(LayerNote(**row) for row in notes["layers"])
        step = Step(name, len(learn) if learn else 0, 0.0, 0.0, layers)
        key = digest_file(place / "rewritten.mlir") + digest_file(
            place / "rewritten_top_weights.npz"
        )
        graph = load_mlir(place / "rewritten.mlir")
        return Rewritten(graph, key, (*start.steps, step), bool(notes["changed"]), cached)

    def rewrite_all(self, start: Rewritten, names: Sequence[str]) -> Rewritten:
        """Do several corrections and measure what each of them bought."""
        chain = [start]
        for name in names:
            chain.append(self.rewrite(chain[-1], name))
        cached = all(made.cached for made in chain[1:])
        return replace(chain[-1], steps=self._measured(chain), cached=cached)

    @property
    def learn(self) -> Samples | None:
        """Samples that corrections of the float network learn from: those of the calibration."""
        return self.samples[: self.job.calibration.input_num] if self.samples else None

    def calibrated(self, made: Rewritten) -> Calibrated:
        """Thresholds of a network; from the cache where possible."""
        inputs = CalibrationInputs(made.graph, made.key, self.samples, self.together)
        return calibrate_job(self.job, inputs, self.threads, self.cache)

    def final(self, table: CalibrationTable, made: Rewritten) -> CalibrationTable:
        """A table with the ranges that are not measured.

        Those that the matched family of networks wants symmetric, and those of attention weights
        that a correction scaled.
        """
        if any(step.name == "softmax_correction" for step in made.steps):
            table = with_unit_ranges(table, [v.name for v in made.graph.values()])
        return with_symmetric(table, self.symmetric)

    def _tensors(self, graph: Graph) -> Tensors | None:
        samples = self.learn
        if samples is None:
            return None
        from tpuc.lowering import float_twin
        from tpuc.simulator import FloatEngine

        engine = FloatEngine(float_twin(graph), self.threads)

        def tensors(names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
            for batch in samples.batches(_BATCH):
                yield engine.run(batch, list(names))

        return tensors

    def _measured(self, chain: Sequence[Rewritten]) -> tuple[Step, ...]:
        """Steps of a chain with the cosines before and after each."""
        steps = chain[-1].steps
        old = len(steps) - len(chain) + 1
        learn = self.learn
        if learn is None or self.job.calibration.method.name == "from_file":
            return steps
        found = list(steps[:old])
        before: Evaluated | None = None
        for start, made, step in zip(chain, chain[1:], steps[old:]):
            if not made.changed:
                found.append(step)
                continue
            before = before or self._judged(start, learn)
            after = self._judged(made, learn)
            found.append(_with_cosines(step, before, after))
            before = after
        return tuple(found)

    def _judged(self, made: Rewritten, learn: Samples) -> Evaluated:
        """A network, lowered, against itself, on samples that corrections learn from."""
        from tpuc.lowering import lower

        table = self.final(self.calibrated(made).table, made)
        asymmetric, mode = self.job.quantize.asymmetric, self.job.quantize.mode.name
        lowered = lower(
            made.graph, table, self.processor, mode, self.choices, asymmetric=asymmetric
        ).graph
        key = {
            "graph": made.key,
            "table": table_text.to_text(table),
            "asymmetric": asymmetric,
            "mode": mode,
            "qtable": qtable_text.to_text(self.choices),
            "processor": {k: str(v) for k, v in vars(self.processor).items()},
        }
        samples = learn[: self.job.correction.bc_inference_num]
        pair = made.graph, lowered
        return evaluate(pair, samples, key, 0, self.threads, self.cache)


def _correct(graph: Graph, name: str, tensors: Tensors | None) -> Corrected:
    if name == "weight_equalization":
        return equalize_weights(graph, tensors)
    rewrites: dict[str, Callable[[Graph, Tensors], Corrected]] = {
        "smoothquant": smooth_activations,
        "softmax_correction": correct_softmaxes,
    }
    if tensors is None:
        return Corrected(graph, (), 0.0, 0.0)
    return rewrites[name](graph, tensors)


def _differs(one: Graph, other: Graph) -> bool:
    if len(one.nodes) != len(other.nodes):
        return True
    pairs = zip(one.weights(), other.weights())
    return any(not np.array_equal(np.asarray(a.data), np.asarray(b.data)) for a, b in pairs)


def _with_cosines(step: Step, before: Evaluated, after: Evaluated) -> Step:
    def cosine(of: Evaluated, name: str) -> float:
        return of.layers.get(name, (0.0, None))[0]

    layers = []
    for note in step.layers:
        at = note.at or note.name
        one, other = cosine(before, at), cosine(after, at)
        layers.append(replace(note, before=one, after=other) if one and other else note)
    means = [float(np.mean([o[0] for o in e.outputs])) for e in (before, after)]
    return replace(step, before=means[0], after=means[1], layers=tuple(layers))
