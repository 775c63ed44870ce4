"""Mixed 4 and 8 bits: `search=qtable search.mix_mode=4_8`. The build is INT4, its table names INT8.

    for each op with a 4-bit form, in program order, all of them 4-bit:
        the threshold for 4 bits (section `#int4_th`) of least loss stays in the table
    loss of an op = that of the network in 8 bits with this op alone in 4
    target        = score of the network in 8 bits * expected_cos

Of the ops ordered by loss the fewest largest stay in 8 bits that reach the target (by bisection).
With `cluster`: ops are put together in clusters, DBSCAN on (loss, snr) with a radius of 0.01 and
two ops at least, those near to no other being one more; clusters become 4-bit, the least mean loss
first, until one misses the target.

Losses are those of TPU-MLIR 1.30's search, whose choice is that by clusters. Its candidates are all
Conv and MatMul; here those that have a 4-bit form: a depthwise Conv in the section `#int4_op`
leaves the op before it without a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpuc.artifacts import CalibrationTable, Choice, QuantizeTable, Range
from tpuc.progress import progress
from tpuc.search.layers import op_types
from tpuc.search.result import Candidate, LayerLoss, Log, SearchResult, Start
from tpuc.search.trials import Exhausted, Trials

__all__ = ["Small", "clusters", "search_four_bits", "small_losses", "small_thresholds"]

_RADIUS = 0.01
_HIGH = "INT8"

Attempt = Callable[[Sequence[str], SearchResult], SearchResult]


@dataclass(frozen=True)
class Small:
    """Which ops can be 4-bit, and how the rest of a network is told from them.

    Parameters
    ----------
    names : tuple of str
        In program order; none that is decided to be float.
    """

    names: tuple[str, ...]

    def qtable(self, base: QuantizeTable, small: Sequence[str], why: Mapping[str, str] | None = None
               ) -> QuantizeTable:  # fmt: skip
        """Rows of a build in which only `small` are 4-bit: all others are named as INT8."""
        reasons = why or {}
        high = [n for n in self.names if n not in set(small)]
        rows = {n: Choice(_HIGH, reasons.get(n, ""), "search") for n in high}
        return QuantizeTable({**base.choices, **rows})

    def table(self, table: CalibrationTable, small: Sequence[str]) -> CalibrationTable:
        """The calibration table that names them."""
        return replace(table, int4_ops=tuple(n for n in self.names if n in set(small)))


def search_four_bits(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, small: Small,
    expected_cos: float, cluster: bool = False,
) -> SearchResult:  # fmt: skip
    """Search the ops that need 8 bits.

    Parameters
    ----------
    tables : mapping of method to CalibrationTable
        Whose 4-bit thresholds are candidates.
    start : Start
        8-bit thresholds, and 4-bit ones until better ones are found.
    expected_cos : float
        Of the score in 8 bits, what the mix must keep.
    """
    log = Log()
    log.info(f"quantize_method_list={list(tables)}")
    base = start.base
    found = SearchResult("qtable", small.table(start.table, ()), small.qtable(base, ()), 0.0, 0.0)
    whole = trials.score(found.table, found.qtable).cos
    log.info(f"current int8 cos:{whole}")
    best = found = replace(found, quantized_cos=whole, cos=whole, float_ops=small.names)
    found = replace(found, goal=whole * expected_cos)
    try:
        table = small_thresholds(trials, tables, start, small, log)
        found = replace(found, table=table)
        lowest = trials.score(small.table(table, small.names), base).cos
        log.info(f"current int4 cos:{lowest}")
        losses = small_losses(trials, table, base, small, log)
        found = replace(found, losses=losses, scores={"0": lowest, str(len(small.names)): whole})
        best = _choose(trials, found, base, small, cluster, log)
    except Exhausted as limit:
        best = replace(best, losses=found.losses, goal=found.goal, stopped=str(limit))
    return replace(best, log=_closing(best, small, log))


def small_thresholds(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, small: Small, log: Log
) -> CalibrationTable:
    """The table with the best 4-bit threshold of every op.

    Raises
    ------
    Exhausted : a limit was reached
    """
    types, table = op_types(trials.bench.graph), small.table(start.table, small.names)
    if len(tables) < 2:
        return table
    for name in progress(small.names, len(small.names), "thresholds"):
        log.info(f"start to handle layer: {name}, type: top.{types[name]}")
        rows = {m: t.int4[name] for m, t in tables.items()}
        variants = [_with_row(table, name, row) for row in rows.values()]
        scores = trials.variants(name, (table, start.base), variants, start.base)
        for (method, row), score in zip(rows.items(), scores):
            log.info(f"adjust layer {name} th, with method {method}, and threshlod {row.threshold}")
            log.info(f"outputs_cos_los = {score.loss}")
        least = min(range(len(scores)), key=lambda i: scores[i].loss)  # the first of equals
        table = variants[least]
        log.info(
            f"layer {name}, layer type is top.{types[name]}, best_th = "
            f"{table.int4[name].threshold}, best_method = {list(rows)[least]}, "
            f"best_cos_loss = {scores[least].loss}"
        )
    return table


def _with_row(table: CalibrationTable, name: str, row: Range) -> CalibrationTable:
    return replace(table, int4={**table.int4, name: row})


def small_losses(
    trials: Trials, table: CalibrationTable, base: QuantizeTable, small: Small, log: Log
) -> tuple[LayerLoss, ...]:
    """What each op costs alone in 4 bits, the largest first.

    Raises
    ------
    Exhausted : a limit was reached
    """
    types, found = op_types(trials.bench.graph), []
    none = small.table(table, ()), small.qtable(base, ())
    for name in progress(small.names, len(small.names), "searching"):
        log.info(f"start to handle layer: {name}, type: top.{types[name]}")
        alone = small.table(table, [name])
        (score,) = trials.variants(name, none, [alone], small.qtable(base, [name]))
        log.info(f"layer {name}, outputs_cos:{score.loss}, outputs_snr:{score.snr}")
        best = Candidate("INT4", table.int4[name].threshold, score.loss, score.snr)
        found.append(LayerLoss(name, types[name], best, (best,)))
    return tuple(sorted(found, key=lambda row: -row.loss))


def _choose(
    trials: Trials, found: SearchResult, base: QuantizeTable, small: Small, cluster: bool, log: Log
) -> SearchResult:
    rank = {row.name: i for i, row in enumerate(found.losses, 1)}
    why = {
        row.name: f"search=qtable, 4_8: loss {row.loss:.3g} in 4 bits, rank {rank[row.name]} of "
        f"{len(rank)}"
        for row in found.losses
    }

    def attempt(kept: Sequence[str], now: SearchResult) -> SearchResult:
        four = [n for n in small.names if n not in set(kept)]
        table, qtable = small.table(found.table, four), small.qtable(base, four, why)
        cos = trials.score(table, qtable).cos
        log.info(f"int8 layer number: {len(kept)}, mix model outputs_cos: {cos}")
        scores = {**now.scores, str(len(kept)): cos}
        return replace(
            now, table=table, qtable=qtable, cos=cos, float_ops=tuple(kept), scores=scores
        )

    return _by_cluster(found, attempt, log) if cluster else _by_rank(found, attempt)


def _reaches(mix: SearchResult) -> bool:
    return mix.goal is None or mix.cos >= mix.goal


def _by_rank(found: SearchResult, attempt: Attempt) -> SearchResult:
    """The fewest worst ops in 8 bits."""
    names = [row.name for row in found.losses]
    best = attempt(names, found)
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        tried = attempt(names[:middle], best)
        if _reaches(tried):
            best, high = tried, middle
        else:
            best, low = replace(best, scores=tried.scores), middle + 1
    return best


def _by_cluster(found: SearchResult, attempt: Attempt, log: Log) -> SearchResult:
    """Clusters in 4 bits, until one misses the target."""
    kept = [row.name for row in found.losses]
    best = attempt(kept, found)
    sets = clusters(found.losses)
    log.info(f"sorted_clusters = {[list(c) for c in sets]}")
    for members in sets:
        kept = [n for n in kept if n not in set(members)]
        tried = attempt(kept, best)
        if not _reaches(tried):
            return replace(best, scores=tried.scores)
        best = tried
    return best


def clusters(losses: Sequence[LayerLoss]) -> list[tuple[str, ...]]:
    """DBSCAN (radius 0.01, two ops) on (loss, snr), by mean loss; single ops are a set."""
    points = np.array([[row.loss, row.snr] for row in losses]).reshape(-1, 2)
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= _RADIUS
    labels = np.arange(len(points))
    for _ in range(len(points)):  # the least index reaches everybody that it is connected with
        labels = np.where(near, labels[None], len(points)).min(axis=1)
    labels = np.where(near.sum(axis=1) < 2, -1, labels)
    found = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found.sort(key=lambda members: float(points[members, 0].mean()))
    return [tuple(losses[int(i)].name for i in members) for members in found]


def _closing(found: SearchResult, small: Small, log: Log) -> str:
    kept = len(found.float_ops)
    log.info(">>>final int4/w4a8 search statistics:")
    log.info(f"cos change vs int8:{found.cos - found.quantized_cos:.6f}")
    log.info(f"final INT8 keep layers:{kept}")
    log.info(f"final INT4 layers:{len(small.names) - kept}")
    log.info(">>>run result:")
    log.info(f"mix model outputs_cos:{found.cos:.6f}")
    if found.stopped:
        log.info(f"stopped early: {found.stopped}")
    return log.text
