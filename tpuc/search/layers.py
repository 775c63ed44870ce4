"""Which ops a search looks at.

    candidates = ops whose tensor is an integer, or an 8-bit float, in the lowered network
    screening  = keep an op type only if the network with just that type quantized is visibly worse
                 than float on one sample: score < max(0.999, expected_cos). If none is, the worst.

Screening is what TPU-MLIR 1.30 does for every model; older releases did it with `--transformer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tpuc.ir import Graph, Value
from tpuc.search.result import Log, Start, with_choices
from tpuc.search.trials import Trials

__all__ = ["FloatOps", "op_types", "quantized_layers", "screen_types"]

_SURE = 0.999


def op_types(graph: Graph) -> dict[str, str]:
    """Op type by tensor name, in program order."""
    return {v.name: n.op for n in graph.nodes for v in n.outputs}


def quantized_layers(graph: Graph, lowered: Graph) -> list[str]:
    """Tensors of Graph[top] that have at most 8 bits when lowered, in program order."""
    floats = {v.name for v in lowered.values() if v.dtype.is_float and not v.dtype.is_float8}
    return [name for name in op_types(graph) if name not in floats]


class FloatOps:
    """Ops that are float whatever the search does, and what their thresholds are good for.

    A float op's threshold still counts where an integer op reads its tensor, directly or through
    float ops that hand the range on: there the cast back to integers uses it.
    """

    def __init__(self, graph: Graph, fixed: Iterable[str]) -> None:
        self._values = {v.name: v for v in graph.values()}
        self._fixed = set(fixed)
        self._reach: dict[str, bool] = {}

    def is_float(self, name: str) -> bool:
        """True if the op is decided to be float."""
        return name in self._fixed

    def is_dead(self, name: str) -> bool:
        """True if the op is float and its threshold is never used."""
        return self.is_float(name) and not self._reaches(self._values[name])

    def _reaches(self, value: Value) -> bool:
        if value.name not in self._reach:
            self._reach[value.name] = False  # a loop can not be: graphs have none
            after = [out for node in value.users for out in node.outputs]
            self._reach[value.name] = any(
                not self.is_float(out.name) or self._reaches(out) for out in after
            )
        return self._reach[value.name]


def screen_types(
    trials: Trials, layers: Sequence[str], start: Start, expected_cos: float, log: Log
) -> list[str]:
    """Op types worth searching.

    Raises
    ------
    Exhausted : a limit was reached
    """
    types = op_types(trials.bench.graph)
    scores: dict[str, float] = {}
    for kind in dict.fromkeys(types[name] for name in layers):
        others = {n: "screening" for n in layers if types[n] != kind}
        qtable = with_choices(start.base, others, start.mode)
        scores[kind] = trials.score(start.table, qtable, screen=True).cos
        log.info(f"op_type : top.{kind}, similarity : {scores[kind]}")
    sensitive = [k for k, cos in scores.items() if cos < max(_SURE, expected_cos)]
    if not sensitive and scores:
        sensitive = [min(scores, key=lambda k: scores[k])]
    listed = [f"top.{k}" for k in sensitive]
    log.info(f"sensitive_op_type : {listed}, please pay attention to these types of operations")
    return sensitive
