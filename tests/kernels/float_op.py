"""Graphs of one float op, run on every instruction set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tpuc.kernels._cpu import isa_name, limit_isa

from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.simulator import Program, interpret

FLOATS = [DType.F32, DType.F16, DType.BF16]
BITS = {DType.F32: 24, DType.F16: 11, DType.BF16: 8}


def float_op(
    op: str,
    shapes: Sequence[tuple[int, ...]],
    out: tuple[int, ...],
    attrs: Mapping[str, Any],
    dtype: DType,
    weights: Sequence[np.ndarray | tuple[np.ndarray, DType] | None] = (),
    scales: Callable[[int], QuantType | None] = lambda index: None,
) -> Graph:
    """Inputs, cast to the type -> op -> output; operands are the inputs, then the weights.

    `scales` are those of the inputs from 0 on, and of the output at -1. A weight is of the type,
    or says its own.
    """
    graph = Graph(f"one {op}", "tpu")
    operands: list[Value | None] = []
    for index, shape in enumerate(shapes):
        source = Value(f"in{index}", shape)
        graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
        cast = Value(f"x{index}", shape, dtype, scales(index))
        graph.add("Cast", [source], [cast], with_defaults("Cast", {}, "tpu"))
        operands.append(cast)
    for index, weight in enumerate(weights):
        data, kind = weight if isinstance(weight, tuple) else (weight, dtype)
        operands.append(None if data is None else Value(f"w{index}", data.shape, kind, None, data))
    result = Value("out", out, dtype, scales(-1))
    graph.add(op, operands, [result], with_defaults(op, attrs, "tpu"))
    graph.outputs = [result]
    return graph


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random numbers of many sizes, with zeros."""
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-6, 4, shape)
    return np.where(rng.integers(0, 10, shape) == 0, 0.0, values).astype(np.float32)


def run_everywhere(graph: Graph, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """The output; the same bits for all instruction sets, threads, batches and on a second run."""
    before = isa_name()
    results: list[np.ndarray] = []
    double = {k: np.concatenate([v, v]) for k, v in feeds.items()}
    for isa in ("portable", "avx2", "vnni"):
        if limit_isa(isa) != isa:
            continue
        for threads in (1, 2):
            program = Program(graph, threads)
            assert not program.fallbacks, program.fallbacks
            for _ in range(2):  # the second run meets the bytes of the first in its buffers
                results.append(program.run_raw(feeds)["out"])
            results += list(np.split(program.run_raw(double)["out"], 2))
    limit_isa(before)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].view(np.uint32), other.view(np.uint32))
    return results[0]


def check_float(
    graph: Graph, seed: int = 0, slack: float | np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compare with the reference: equal, or within one unit of the type and `slack`."""
    rng = np.random.default_rng(seed)
    feeds = {v.name: numbers(rng, v.shape) for v in graph.inputs}
    expected = interpret(graph, feeds)["out"]
    got = run_everywhere(graph, feeds)
    if slack is None:
        np.testing.assert_array_equal(got, expected)
    else:
        unit = 2.0 ** (1 - BITS[graph.outputs[0].dtype])
        bound = unit * np.maximum(np.abs(got), np.abs(expected)) + slack
        assert (np.abs(got.astype(np.float64) - expected) <= bound).all()
    return got, expected
