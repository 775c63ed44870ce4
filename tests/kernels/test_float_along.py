"""Float softmax, norms, sums and means: the reference's steps on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.float_op import BITS, FLOATS, check_float, float_op, numbers, run_everywhere
from tpuc.ir import DType, Graph
from tpuc.kernels.casts import round_to
from tpuc.simulator import Program, interpret


def _near(graph: Graph, seed: int = 0) -> None:
    """Equal, but for exponentials whose float64 lies at the middle between two float32."""
    rng = np.random.default_rng(seed)
    feeds = {v.name: numbers(rng, v.shape) for v in graph.inputs}
    got, expected = run_everywhere(graph, feeds), interpret(graph, feeds)["out"]
    unit = 2.0 ** (1 - BITS[graph.outputs[0].dtype])
    np.testing.assert_allclose(got, expected, rtol=1.01 * unit, atol=2.0**-24)
    assert (got == expected).mean() > 0.99


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((2, 5, 9), 2), ((2, 5, 9), 1), ((3, 100), 1), ((2, 12, 7, 33), -1), ((1, 20, 3, 4), 1)],
)
def test_softmax(dtype: DType, shape: tuple[int, ...], axis: int) -> None:
    _near(float_op("Softmax", [shape], shape, {"axis": axis}, dtype))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16])
@pytest.mark.parametrize("shape", [(2, 5, 9), (1, 40, 33), (2, 3, 4, 20)])
@pytest.mark.parametrize("weights", [0, 1, 2])
def test_layer_norm(dtype: DType, shape: tuple[int, ...], weights: int) -> None:
    rng = np.random.default_rng(1)
    given = [round_to(numbers(rng, shape[-1:]), dtype) for _ in range(weights)]
    attrs = {"axis": len(shape) - 1, "eps": 1e-6, "normalized_shape": shape[-1:]}
    check_float(float_op("LayerNorm", [shape], shape, attrs, dtype, given))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16])
@pytest.mark.parametrize("weighted", [False, True])
def test_rms_norm(dtype: DType, weighted: bool) -> None:
    shape = (2, 21, 30)
    given = [round_to(numbers(np.random.default_rng(1), (30,)), dtype)] if weighted else []
    check_float(float_op("RMSNorm", [shape], shape, {"eps": 1e-5}, dtype, given))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("mode", ["ReduceMean", "ReduceSum"])
@pytest.mark.parametrize(
    ("shape", "axes", "keep", "out"),
    [
        ((2, 20, 5, 7), (2, 3), True, (2, 20, 1, 1)),
        ((2, 20, 5, 7), (-1, -2), False, (2, 20)),
        ((2, 20, 5, 7), (3,), True, (2, 20, 5, 1)),
        ((2, 20, 7), (2,), False, (2, 20)),
        ((2, 20, 5, 7), (1,), True, (2, 1, 5, 7)),
        ((2, 20, 7), (1,), False, (2, 7)),
        ((2, 6, 5, 7), (1, 2), True, (2, 1, 1, 7)),
    ],
)
def test_reduce(
    dtype: DType,
    mode: str,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    keep: bool,
    out: tuple[int, ...],
) -> None:
    attrs = {"mode": mode, "axes": axes, "keepdims": keep}
    check_float(float_op("Reduce", [shape], out, attrs, dtype))


@pytest.mark.parametrize("dtype", [DType.F32, DType.F16])
@pytest.mark.parametrize(("shape", "keep"), [((1, 32, 384), False), ((2, 3, 17), True)])
def test_sums_over_channels(
    dtype: DType, shape: tuple[int, int, int], keep: bool, isa: str
) -> None:
    """One channel after another, on any instruction set."""
    out = (shape[0], 1, shape[2]) if keep else (shape[0], shape[2])
    attrs = {"mode": "ReduceMean", "axes": (1,), "keepdims": keep}
    check_float(float_op("Reduce", [shape], out, attrs, dtype))


LEFT: list[tuple[str, dict[str, Any], DType, str]] = [
    ("Softmax", {"axis": 2}, DType.F32, "axis 2"),
    ("Softmax", {"axis": 3, "log": True}, DType.F32, "logarithm"),
    ("Reduce", {"mode": "ReduceMax", "axes": (3,), "keepdims": True}, DType.F32, "ReduceMax"),
    ("Reduce", {"mode": "ReduceMean", "axes": (1, 3), "keepdims": True}, DType.F32, "over [1, 3]"),
    (
        "LayerNorm",
        {"axis": 3, "eps": 1e-6, "normalized_shape": (4,)},
        DType.BF16,
        "rounds after every step",
    ),
]


@pytest.mark.parametrize(("op", "attrs", "dtype", "reason"), LEFT)
def test_what_has_no_kernel_says_why(
    op: str, attrs: dict[str, Any], dtype: DType, reason: str
) -> None:
    shape = (2, 3, 5, 4)
    reduced = tuple(1 if i in attrs.get("axes", ()) else s for i, s in enumerate(shape))
    graph = float_op(op, [shape], reduced, attrs, dtype)
    assert reason in Program(graph).fallbacks["out"]
