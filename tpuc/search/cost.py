"""What a mix of types costs: a roofline estimate from facts of the processor.

    t(op, type) = max(2 * MACs / peak(type), bytes(type) / bandwidth)
    cost        = sum over ops of t, plus bytes / bandwidth of every cast where types meet

bytes: operands, weights and results, each in its type, all through the memory outside. Results of
a 4-bit op have 8 bits, but where 4-bit ops alone read them. A real
schedule keeps much of it inside, so costs are good for comparing mixes of one network, and are
given relative to the network with every op quantized, to 8 bits.

Where a clock is given (the predicted time of the chip's instructions), and it knows both mixes, it
decides; the estimate remains for those that have no instructions, and for the order of trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tpuc.artifacts import QuantizeTable
from tpuc.ir import Graph, Node, Value
from tpuc.ir.macs import macs_of
from tpuc.processors import Processor

__all__ = ["CostModel"]

_BYTES = {"INT4": 0.5, "INT8": 1, "F16": 2, "BF16": 2, "F32": 4}


@dataclass(frozen=True)
class CostModel:
    """Costs of one network on one processor.

    Parameters
    ----------
    graph : Graph
        Dialect `top`.
    natural : mapping of op name to type
        What each op is when no table says otherwise.
    clock : function of QuantizeTable, optional
        Microseconds of one inference, None where they are not known.

    Raises
    ------
    ConfigError : the processor's facts do not hold a peak or the bandwidth
    """

    graph: Graph
    processor: Processor
    natural: Mapping[str, str]
    clock: Callable[[QuantizeTable], float | None] | None = None

    def __post_init__(self) -> None:
        self.processor.require_peaks("search.method: pareto", ("INT8",))

    def relative(self, qtable: QuantizeTable, base: QuantizeTable) -> float:
        """Cost of a mix, that of `base` being 1."""
        if self.clock is not None:
            spent, whole = self.clock(qtable), self.clock(base)
            if spent is not None and whole is not None:
                return spent / whole
        return self.microseconds(qtable) / self.microseconds(base)

    def microseconds(self, qtable: QuantizeTable) -> float:
        """Estimated time of one inference."""
        types = dict(self.natural)
        types.update((n, c.mode) for n, c in qtable.choices.items())
        total = 0.0
        for node in self.graph.nodes:
            if node.op == "Input":
                continue
            total += self._op(node, types) + self._casts(node, types)
        return total

    def _op(self, node: Node, types: Mapping[str, str]) -> float:
        kind = types[node.name]
        read = sum(v.size for v in node.inputs if v is not None) * _BYTES[kind]
        made = sum(v.size * _BYTES[_made(node, v, types)] for v in node.outputs)
        move = self._move(read + made)
        macs = macs_of(node)
        return max(2 * macs / (self._peak(kind) * 1e6), move) if macs else move

    def _casts(self, node: Node, types: Mapping[str, str]) -> float:
        mine = _BYTES[types[node.name]]
        total = 0.0
        for value in node.activations:
            producer = value.producer
            outside = producer is None or producer.op == "Input"
            other = "F32" if producer is None or outside else _made(producer, value, types)
            if other != types[node.name]:
                total += self._move(value.size * (mine + _BYTES[other]))
        return total

    def _move(self, size: float) -> float:
        return size / (self.processor.dram_gbps * 1e3)

    def _peak(self, kind: str) -> float:
        self.processor.require_peaks("search.method: pareto", (kind,))
        return self.processor.peak(kind)


def _made(node: Node, value: Value, types: Mapping[str, str]) -> str:
    """Type of a result."""
    kind, users = types[node.name], list(value.users)
    if kind != "INT4" or (users and all(types[u.name] == "INT4" for u in users)):
        return kind
    return "INT8"
