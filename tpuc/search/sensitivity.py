"""What each op costs when it alone is quantized, and by which threshold it costs least.

    for each op L in program order:
        all other searched ops float, L quantized
        for each method: L's threshold by that method -> loss
        the threshold of least loss is written to the table, and stays for the ops that follow

TPU-MLIR's `search_qtable` and `run_sensitive_layer` (manual, "Mixed Precision Methods"). There each
loss is a run of the whole network; here tensors before L are kept from one op to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tpuc.artifacts import CalibrationTable, QuantizeTable
from tpuc.progress import progress
from tpuc.search.layers import FloatOps, op_types
from tpuc.search.result import Candidate, LayerLoss, Log, Start, with_choices, with_threshold
from tpuc.search.trials import Exhausted, Trials

__all__ = ["Sensitivity", "measure"]


@dataclass(frozen=True)
class Sensitivity:
    """Losses of ops, largest first, and the table with the best thresholds."""

    losses: tuple[LayerLoss, ...]
    table: CalibrationTable
    stopped: str = ""


def measure(
    trials: Trials, layers: Sequence[str], tables: Mapping[str, CalibrationTable],
    start: Start, log: Log,
) -> Sensitivity:  # fmt: skip
    """Measure every layer.

    Parameters
    ----------
    layers : sequence of str
        In program order.
    tables : mapping of method to CalibrationTable
        Where candidate thresholds come from; the first method is tried first and wins ties.
    """
    types = op_types(trials.bench.graph)
    floats = FloatOps(trials.bench.graph, start.base.choices)
    everything = dict.fromkeys(layers, "all but one op are float in this trial")
    all_float = with_choices(start.base, everything, start.mode)
    table, losses, stopped = start.table, [], ""
    for name in progress(layers, len(layers), "searching"):
        if floats.is_dead(name):
            continue
        log.info(f"start to handle layer: {name}, type: top.{types[name]}")
        others = {n: why for n, why in everything.items() if n != name}
        try:
            loss = _layer(
                trials, (name, types[name]), tables, (table, all_float),
                with_choices(start.base, others, start.mode), log,
            )  # fmt: skip
        except Exhausted as limit:
            stopped = str(limit)
            break
        table = with_threshold(table, name, loss.best.threshold)
        if not floats.is_float(name):
            losses.append(loss)
    losses.sort(key=lambda row: -row.loss)
    return Sensitivity(tuple(losses), table, stopped)


def _layer(
    trials: Trials, op: tuple[str, str], tables: Mapping[str, CalibrationTable],
    base: tuple[CalibrationTable, QuantizeTable], qtable: QuantizeTable, log: Log,
) -> LayerLoss:  # fmt: skip
    name, kind = op
    thresholds = {m: t.ranges[name].threshold for m, t in tables.items()}
    variants = [with_threshold(base[0], name, th) for th in thresholds.values()]
    scores = trials.variants(name, base, variants, qtable)
    candidates = []
    for (method, threshold), score in zip(thresholds.items(), scores):
        candidates.append(Candidate(method, threshold, score.loss, score.snr, score.partial))
        log.info(
            f"adjust layer {name} th, with method {method}, and threshlod {threshold}"
        )  # the misspelling is TPU-MLIR's: programs read its logs
        gave_up = " or more, given up" if score.partial else ""
        log.info(f"outputs_cos_los = {score.loss}{gave_up}")
    best = min(candidates, key=lambda c: c.loss)  # the first of equals
    log.info(
        f"layer {name}, layer type is top.{kind}, best_th = {best.threshold}, "
        f"best_method = {best.method}, best_cos_loss = {best.loss}"
    )
    return LayerLoss(name, kind, best, tuple(candidates))
