"""Tries tables: lowers the network with them, runs it, scores it against float.

`Bench` is the measuring set-up that the pipeline hands in; `Trials` adds the journal and the limits
(`search.max_seconds`, `search.max_trials`). A trial whose partial sum of losses already exceeds a
bound is given up: it can not win, for no sample's loss is negative.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.errors import ConfigError
from tpuc.ir import Graph
from tpuc.search.journal import Journal
from tpuc.search.objective import Accuracy, Objective, Outputs, Reference, Score

__all__ = ["Bench", "Exhausted", "Limits", "Runner", "Trials", "inferences"]


class Runner(Protocol):
    """`simulator.IncrementalRunner`."""

    def run(self, graph: Graph, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        """Tensors of each batch."""

    def hold(self, base: Graph, variants: Iterable[Graph], at: str) -> None:
        """Keep what variants need of `base`."""


@dataclass(frozen=True)
class Bench:
    """What a search measures with.

    Parameters
    ----------
    graph : Graph
        Dialect `top`.
    lower : callable (CalibrationTable, QuantizeTable) -> Graph
    runner : Runner
        On the search samples.
    screen : Runner
        On the first sample only.
    reference : sequence of dict
        Float tensors of each inference, as `objective.final` returns them.
    objective : Objective or Accuracy
    """

    graph: Graph
    lower: Callable[[CalibrationTable, QuantizeTable], Graph]
    runner: Runner
    screen: Runner
    reference: Sequence[Outputs]
    objective: Objective | Accuracy


@dataclass(frozen=True)
class Limits:
    """When to stop: after so many seconds or trials; None: never."""

    max_seconds: float | None = None
    max_trials: int | None = None


_Begun = tuple[Graph, Iterator[dict[str, np.ndarray]]]
"""A lowered network, and its tensors batch by batch."""


class Exhausted(Exception):
    """A limit was reached; the best so far stands."""


class Trials:
    """Scores tables, each once.

    Parameters
    ----------
    journal : Journal
        Trials finished before are not run again.

    Attributes
    ----------
    count : int
        Trials asked for, replayed ones included.
    ran : int
        Trials that were run.
    given_up : int
        Of these, stopped by their bound.
    """

    def __init__(self, bench: Bench, journal: Journal, limits: Limits | None = None) -> None:
        self.bench = bench
        self.journal = journal
        self.limits = limits or Limits()
        self.count = self.ran = self.given_up = 0
        self._references = [Reference(outputs) for outputs in bench.reference]
        self._start = time.monotonic()

    def score(
        self, table: CalibrationTable, qtable: QuantizeTable, screen: bool = False,
        bound: float | None = None,
    ) -> Score:  # fmt: skip
        """Score of a whole network; `screen` on the first sample only.

        Raises
        ------
        Exhausted : a limit was reached
        """
        key = _key(table, qtable, screen)
        found = self._known(key, bound)
        if found is None:
            self._check_limits()
            runner = self.bench.screen if screen else self.bench.runner
            begun = self._begin(self.bench.lower(table, qtable), runner)
            found = self._finish(key, begun, screen, bound)
        return found

    def each(self, tables: Sequence[CalibrationTable], qtable: QuantizeTable) -> Iterator[Score]:
        """Scores of whole networks, one after the other; while one runs the next is lowered.

        Raises
        ------
        Exhausted : a limit was reached
        """
        keys = [_key(table, qtable, False) for table in tables]
        begun: dict[str, _Begun] = {}
        for index, key in enumerate(keys):
            found = self._known(key, None)
            if found is None:
                self._check_limits()
                for near, table in zip(keys[index : index + 2], tables[index:]):
                    if near not in begun and self._recorded(near, None) is None:
                        graph = self.bench.lower(table, qtable)
                        begun[near] = self._begin(graph, self.bench.runner)
                found = self._finish(key, begun.pop(key), False, None)
            yield found

    def variants(
        self, at: str, base: tuple[CalibrationTable, QuantizeTable],
        tables: Sequence[CalibrationTable], qtable: QuantizeTable,
    ) -> list[Score]:  # fmt: skip
        """Scores of networks that differ from `base` at op `at` and behind it only.

        The first is run whole; each further one is given up when it can not beat the best so far,
        and then has the loss at which that was sure.
        """
        keys = [_key(t, qtable, False) for t in tables]
        scores: list[Score] = []
        begun: dict[str, _Begun] = {}
        for index, key in enumerate(keys):
            bound = min((s.loss for s in scores), default=None)
            found = self._known(key, bound)
            if found is None:
                if key not in begun:
                    rest = dict(zip(keys[index:], tables[index:]))
                    begun = self._begin_all(at, self.bench.lower(*base), rest, qtable)
                found = self._finish(key, begun.pop(key), False, bound)
            scores.append(found)
        return scores

    def _begin_all(
        self, at: str, base: Graph, tables: Mapping[str, CalibrationTable], qtable: QuantizeTable
    ) -> dict[str, _Begun]:
        """One runs while the next is made ready."""
        graphs = {key: self.bench.lower(table, qtable) for key, table in tables.items()}
        self.bench.runner.hold(base, graphs.values(), at)
        return {key: self._begin(graph, self.bench.runner) for key, graph in graphs.items()}

    def _known(self, key: str, bound: float | None) -> Score | None:
        self.count += 1
        found = self._recorded(key, bound)
        self.journal.replayed += found is not None
        return found

    def _recorded(self, key: str, bound: float | None) -> Score | None:
        """What the journal has; a trial that was given up counts only where it lost to `bound`."""
        row = self.journal.find(key)
        if row is None or (row["partial"] and (bound is None or 1.0 - row["cos"] < bound)):
            return None
        return Score(row["cos"], row["snr"], row["partial"])

    def _begin(self, graph: Graph, runner: Runner) -> _Begun:
        return graph, runner.run(graph, _lowered_names(self.bench, graph))

    def _finish(self, key: str, begun: _Begun, screen: bool, bound: float | None) -> Score:
        self._check_limits()
        graph, runs = begun
        total = 1 if screen else len(self._references)
        names, shapes = self._names(), _shapes(graph)
        cos = snr = 0.0
        done = 0
        for outputs in runs:
            for one in _split(outputs, shapes):
                score = self._one(done, dict(zip(names, one.values())))
                cos, snr, done = cos + score.cos, snr + score.snr, done + 1
            if bound is not None and (done - cos) / total > bound and done < total:
                break
        partial = done < total
        result = Score(1.0 - (done - cos) / total, snr / done, partial)
        self.ran += 1
        self.given_up += partial
        self.journal.add(key, {"cos": result.cos, "snr": result.snr, "partial": partial})
        return result

    def _names(self) -> tuple[str, ...]:
        objective = self.bench.objective
        return objective.near.names if isinstance(objective, Accuracy) else objective.names

    def _one(self, index: int, outputs: Outputs) -> Score:
        objective = self.bench.objective
        final = objective.final(outputs)
        if isinstance(objective, Accuracy):
            return objective.score_at(index, self._references[index], final)
        return objective.score(self._references[index], final)

    def lift_limits(self) -> None:
        """Go on regardless: to score what was found, once a limit was reached."""
        self.limits = Limits()

    def _check_limits(self) -> None:
        """Every search makes at least one new trial."""
        limits = self.limits
        if not self.ran:
            return
        if limits.max_trials is not None and self.count > limits.max_trials:
            raise Exhausted(f"search.max_trials={limits.max_trials} reached")
        if limits.max_seconds is not None and time.monotonic() - self._start > limits.max_seconds:
            raise Exhausted(f"search.max_seconds={limits.max_seconds:g} reached")


def inferences(outputs: Outputs, graph: Graph) -> Iterator[Outputs]:
    """Tensors of a batch, inference by inference, each of the graph's own shape."""
    return _split(outputs, _shapes(graph))


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {v.name: v.shape for v in graph.values()}


def _split(outputs: Outputs, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Outputs]:
    name, array = next(iter(outputs.items()))
    count = array.size // max(1, math.prod(shapes[name]))
    split = {n: a.reshape(count, *shapes[n]) for n, a in outputs.items()}
    for index in range(count):
        yield {n: a[index] for n, a in split.items()}


def _lowered_names(bench: Bench, graph: Graph) -> list[str]:
    """Tensors of the lowered graph that stand for the objective's, in its order."""
    objective = bench.objective
    names = objective.near.names if isinstance(objective, Accuracy) else objective.names
    finals = {t.name: v.name for t, v in zip(bench.graph.outputs, graph.outputs)}
    wanted = [finals.get(n, n) for n in names]
    known = {v.name for v in graph.values()}
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"search.global_compare_layers: '{name}' does not exist in the lowered network; "
                "expected an op that lowering keeps under its own name"
            )
    return wanted


def _key(table: CalibrationTable, qtable: QuantizeTable, screen: bool) -> str:
    total = hashlib.sha256()
    for name, row in table.ranges.items():
        total.update(f"{name} {row.threshold!r} {row.min!r} {row.max!r}\n".encode())
    for name, row in table.int4.items():
        total.update(f"4 {name} {row.threshold!r}\n".encode())
    total.update("".join(f"4 {name}\n" for name in table.int4_ops).encode())
    for name in sorted(qtable.choices):
        total.update(f"{name} {qtable.choices[name].mode}\n".encode())
    total.update(b"screen" if screen else b"all")
    return total.hexdigest()
