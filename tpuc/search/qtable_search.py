"""Mixed precision by ranked losses: `search=qtable` and `search=sensitive_layer`.

    measure every op's loss (sensitivity.py), order ops by it, make the worst k float

k is the least number of 1..max_float_layers whose network reaches expected_cos; if none does, k is
max_float_layers and the goal was missed. Where the quantized network reaches the goal already,
nothing is searched.

TPU-MLIR 1.30 differs at the end: if max_float_layers is not enough it goes on to a fifth of all
ops, and if nothing had to be adjusted its table names every searched op instead of the k that it
had just scored. The table here holds the k ops whose score is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tpuc.artifacts import CalibrationTable
from tpuc.errors import ConfigError
from tpuc.ir import Graph
from tpuc.search.layers import op_types, quantized_layers, screen_types
from tpuc.search.result import LayerLoss, Log, SearchResult, Start, with_choices
from tpuc.search.sensitivity import measure
from tpuc.search.trials import Exhausted, Trials

__all__ = ["Goal", "reasons_for", "search_qtable", "searched_layers", "worst"]


@dataclass(frozen=True)
class Goal:
    """When a search is content.

    Parameters
    ----------
    expected_cos : float
        Score that the network must exceed.
    max_float_layers : int
    screen : bool
        Search only op types that screening finds sensitive.
    cluster : bool
        Instead of the k worst: the ops that 2-means on (loss, snr) puts with the larger losses.
    budget : float, optional
        Largest cost of search=pareto, relative to the network with every op quantized to 8 bits.
    """

    expected_cos: float
    max_float_layers: int
    screen: bool = True
    cluster: bool = False
    budget: float | None = None


def search_qtable(
    trials: Trials, tables: Mapping[str, CalibrationTable], start: Start, goal: Goal,
    method: str = "qtable",
) -> SearchResult:  # fmt: skip
    """Search thresholds and float ops.

    Parameters
    ----------
    tables : mapping of method to CalibrationTable
        Candidate thresholds; all of the same samples.
    method : {'qtable', 'sensitive_layer'}

    Raises
    ------
    ConfigError : more float layers are asked for than can be quantized
    """
    log = Log()
    log.info(f"quantize_method_list={list(tables)}")
    log.info(f"run float mode: {trials.bench.graph.name}.mlir")
    quantized = trials.score(start.table, start.base).cos
    log.info(f"all_int8_cos={quantized}")
    if quantized > goal.expected_cos:
        log.info(
            f"job success, current int8 cos:{quantized} is higher than "
            f"expected_cos:{goal.expected_cos},no need for mix precsion"
        )
        return SearchResult(method, start.table, start.base, quantized, quantized, log=log.text)
    best = found = SearchResult(method, start.table, start.base, quantized, quantized)
    try:
        layers = searched_layers(trials, start, goal, log)
        measured = measure(trials, layers, tables, start, log)
        found = replace(best, table=measured.table, losses=measured.losses)
        if measured.stopped:
            raise Exhausted(measured.stopped)
        best = _make_float(trials, found, start.mode, goal, log)
    except Exhausted as limit:
        trials.lift_limits()
        if found.losses:
            some = replace(goal, max_float_layers=min(goal.max_float_layers, len(found.losses)))
            tried = _make_float(trials, found, start.mode, some, log)
            best = max(best, tried, key=lambda result: result.cos)
        best = replace(best, losses=found.losses, stopped=str(limit))
    return replace(best, log=_closing(best, log))


def searched_layers(trials: Trials, start: Start, goal: Goal, log: Log) -> list[str]:
    """Ops that a search looks at, in program order.

    Raises
    ------
    ConfigError : more float layers are asked for than can be quantized
    """
    graph = trials.bench.graph
    layers = quantized_layers(graph, trials.bench.lower(start.table, start.base))
    log.info(f"all layer number: {len(op_types(graph))}")
    log.info(f"all layer number no float: {len(layers)}")
    if goal.max_float_layers > len(layers):
        raise ConfigError(
            f"search.max_float_layers: {goal.max_float_layers}, but only {len(layers)} ops of "
            f"this network are quantized; expected at most {len(layers)}"
        )
    if goal.screen:
        types = op_types(graph)
        kept = screen_types(trials, layers, start, goal.expected_cos, log)
        layers = [n for n in layers if types[n] in kept]
    log.info(f"all search layer number: {len(layers)}")
    return layers


def _make_float(
    trials: Trials, found: SearchResult, mode: str, goal: Goal, log: Log
) -> SearchResult:
    """The fewest worst ops as float that reach the goal, or as many as are allowed."""
    for index, row in enumerate(found.losses):
        log.info(
            f"the layer {row.name} is {index} sensitive layer, loss is {row.loss}, "
            f"type is top.{row.type}"
        )
    base = found.qtable

    def attempt(chosen: Sequence[str], now: SearchResult) -> SearchResult:
        reasons = reasons_for(found, chosen)
        qtable = with_choices(base, reasons, mode)
        cos = trials.score(found.table, qtable).cos
        log.info(f"float layer number: {len(chosen)}, mix model outputs_cos: {cos}")
        scores = {**now.scores, str(len(chosen)): cos}
        return replace(now, qtable=qtable, cos=cos, float_ops=tuple(chosen), scores=scores)

    if goal.cluster:
        return attempt(_largest_cluster(found.losses), found)
    graph = trials.bench.graph
    best = attempt(worst(graph, found.losses, 0), found)  # thresholds alone may do
    if best.cos > goal.expected_cos or not goal.max_float_layers:
        return best
    best = attempt(worst(graph, found.losses, goal.max_float_layers), best)
    low, high = 1, goal.max_float_layers
    while best.cos > goal.expected_cos and low < high:
        middle = (low + high) // 2
        tried = attempt(worst(graph, found.losses, middle), best)
        if tried.cos > goal.expected_cos:
            best, high = tried, middle
        else:
            best, low = replace(best, scores=tried.scores), middle + 1
    return best


def reasons_for(found: SearchResult, chosen: Sequence[str]) -> dict[str, str]:
    """Why each chosen op is float."""
    losses = {row.name: row.loss for row in found.losses}
    rank = {row.name: i + 1 for i, row in enumerate(found.losses)}
    return {
        n: f"search={found.method}: loss {losses[n]:.3g}, rank {rank[n]} of {len(rank)}"
        if n in losses
        else f"search={found.method}: goes with the op before or behind it"
        for n in chosen
    }


def worst(graph: Graph, losses: Sequence[LayerLoss], count: int) -> list[str]:
    """Ops of the largest losses; a Conv takes the Scale behind it along, and the reverse."""
    values = {v.name: v for v in graph.values()}
    chosen: list[str] = []
    for row in losses:
        if len(chosen) >= count:
            break
        if row.name in chosen:
            continue
        chosen.append(row.name)
        value = values[row.name]
        producer = value.producer
        assert producer is not None
        before = [v.producer for v in producer.activations if v.producer is not None]
        if row.type == "Conv":
            chosen += [u.name for u in value.users if u.op == "Scale" and u.name not in chosen]
        elif row.type == "Scale":
            chosen += [n.name for n in before if n.op == "Conv" and n.name not in chosen]
    return chosen


def _largest_cluster(losses: Sequence[LayerLoss]) -> list[str]:
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ConfigError(
            "search.cluster=true needs scikit-learn. Hint: pip install 'tpuc[zoo]'"
        ) from error
    if len(losses) < 2:
        return [row.name for row in losses]
    points = [[row.loss, row.snr] for row in losses]
    found = KMeans(n_clusters=2, random_state=42).fit(points)
    target = int(found.cluster_centers_[:, 0].argmax())
    return [row.name for row, label in zip(losses, found.labels_) if label == target]


def _closing(found: SearchResult, log: Log) -> str:
    log.info(">>>run result:")
    log.info(f"float layer number: {len(found.float_ops)}, mix model outputs_cos: {found.cos:.6f}")
    log.info(f"int8 outputs_cos:{found.quantized_cos:.6f} old")
    log.info(f"mix model outputs_cos:{found.cos:.6f}")
    if found.stopped:
        log.info(f"stopped early: {found.stopped}")
    return log.text
