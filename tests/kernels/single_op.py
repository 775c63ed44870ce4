"""Graphs of one integer op, whose inputs are fed with the integers themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.simulator import Program, interpret

ONE = QuantType(1.0)


def single_op(
    op: str,
    inputs: Sequence[tuple[tuple[int, ...], DType]],
    out: tuple[tuple[int, ...], DType],
    attrs: Mapping[str, Any],
    weights: Sequence[np.ndarray | None] = (),
) -> Graph:
    """Inputs of scale 1 -> op -> output; operands are the inputs, then the weights."""
    graph = Graph(f"one {op}", "tpu")
    operands: list[Value | None] = []
    for index, (shape, dtype) in enumerate(inputs):
        source = Value(f"in{index}", shape)
        graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
        cast = Value(f"q{index}", shape, dtype, ONE)
        graph.add("Cast", [source], [cast], with_defaults("Cast", {}, "tpu"))
        operands.append(cast)
    for index, data in enumerate(weights):
        if data is None:
            operands.append(None)
            continue
        kinds = {np.int8: DType.SI8, np.uint8: DType.UI8, np.int32: DType.SI32}
        dtype = kinds.get(data.dtype.type, DType.F32)
        operands.append(Value(f"w{index}", data.shape, dtype, None, data))
    result = Value("out", out[0], out[1], QuantType(0.5))
    graph.add(op, operands, [result], with_defaults(op, attrs, "tpu"))
    graph.outputs = [result]
    return graph


def integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """Random integers with many extremes, as float32."""
    low, high = dtype.qrange
    values = rng.integers(low, high + 1, shape)
    kind = rng.integers(0, 8, shape)
    values = np.where(kind == 0, low, np.where(kind == 1, high, values))
    return values.astype(np.float32)


def check(graph: Graph, seed: int = 0, kernel: bool = True) -> np.ndarray:
    """Run compiled (1 and 2 threads) and on the reference; all bits must agree."""
    rng = np.random.default_rng(seed)
    feeds = {}
    for value in graph.inputs:
        users = value.users[0].output.dtype
        feeds[value.name] = integers(rng, value.shape, users)
        feeds[value.name].flags.writeable = False
    expected = interpret(graph, feeds)["out"]
    for threads in (1, 2):
        program = Program(graph, threads)
        assert (not program.fallbacks) == kernel, program.fallbacks
        for _ in range(2):  # the second run meets the bytes of the first in its buffers
            got = program.run_raw(feeds)["out"]
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected)
    return expected
