"""Heads of attention in 8 bits, and what adds them up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.kernels.single_op import ONE
from tests.kernels.test_attention import head
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults

__all__ = ["ATTENTION"]

S8, S32 = DType.SI8, DType.SI32


def _cast(graph: Graph, value: Value, name: str, dtype: DType, scale: float = 1.0) -> Value:
    target = Value(name, value.shape, dtype, QuantType(scale))
    graph.add("Cast", [value], [target], with_defaults("Cast", {}, "tpu"))
    return target


def _counts(graph: Graph, name: str, shape: tuple[int, ...]) -> Value:
    """A network's input as int8, then as int32: the numbers times 1.5, rounded."""
    source = Value(name, shape)
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    small = _cast(graph, source, f"{name} si8", S8, 1.5)
    return _cast(graph, small, f"{name} si32", S32)


def _masked(tokens: int, batch: int) -> Graph:
    """The mask computed, and as many as there are samples."""
    graph = head((tokens, 40, 24), batch)
    node = graph.nodes[-1]
    graph.set_input(node, 11, _counts(graph, "mask", (batch, 1, 1, tokens)))
    graph.sort()
    return graph


def _vanishing() -> Graph:
    """Powers of most products are 0."""
    graph = head((40, 24, 16))
    table = graph.nodes[-1].inputs[12]
    powers = np.exp(-np.float32(0.6) * np.arange(256)).astype(np.float32)
    powers[powers < np.finfo(np.float32).tiny] = 0
    table.data = powers.reshape(1, 1, 1, 256)
    return graph


def _sum(count: int) -> Graph:
    """Sums of int32, and what they are in 8 bits."""
    graph, shape = Graph("sum", "tpu"), (2, 17, 70)
    terms = [_counts(graph, f"in{i}", shape) for i in range(count)]
    total = Value("sum", shape, S32, ONE)
    graph.add("Add", terms, [total], with_defaults("Add", {}, "tpu"))
    attrs = with_defaults("RequantInt", {"multiplier": 2**30 + 12345, "rshift": 32}, "tpu")
    graph.add("RequantInt", [total], [Value("out", shape, S8, ONE)], attrs)
    graph.outputs = [graph.nodes[-1].output]
    return graph


ATTENTION: dict[str, Callable[[], Graph]] = {
    "attention": lambda: head((17, 33, 8), 2),
    "attention without biases": lambda: head((70, 64, 32), bias=False),
    "attention with a mask": lambda: _masked(17, 2),
    "attention in parts of rows": lambda: head((2000, 8, 4)),
    "attention of powers that vanish": _vanishing,
    "sum of counts": lambda: _sum(2),
    "sum of three counts": lambda: _sum(3),
}
