"""One head of float attention: near the reference, the same bits on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.float_op import BITS, FLOATS, float_op, run_everywhere
from tpuc.ir import DType, Graph
from tpuc.kernels.casts import round_to
from tpuc.simulator import Program, interpret


def _graph(
    dtype: DType, sizes: tuple[int, int, int, int, int], bias: bool, mask: bool, head: int = 1
) -> Graph:
    batch, tokens, wide, width, depth = sizes
    rng = np.random.default_rng(0)

    def made(*shape: int) -> np.ndarray:
        return round_to(rng.standard_normal(shape).astype(np.float32) / 4, dtype)

    weights: list[np.ndarray | None] = [None, None]
    for shape in ((wide, width), (wide, width), (wide, depth), (depth, wide)):
        weights += [made(*shape), made(shape[1]) if bias else None]
    covered = np.where(np.arange(tokens) % 5 == 4, np.float32(-10000.0), np.float32(0.0))
    weights.append(covered.reshape(1, 1, 1, tokens) if mask else None)
    attrs: dict[str, Any] = {"dim": width, "has_bias": 15, "head": head, "scale": 0.125}
    shape = (batch, tokens, wide)
    return float_op("Attention", [shape], shape, attrs, dtype, weights)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("sizes", [(1, 20, 24, 8, 8), (2, 37, 33, 16, 9)])
def test_attention(
    dtype: DType, bias: bool, mask: bool, sizes: tuple[int, int, int, int, int]
) -> None:
    graph = _graph(dtype, sizes, bias, mask)
    x = np.random.default_rng(1).standard_normal(sizes[:3]).astype(np.float32)
    got = run_everywhere(graph, {"in0": x})
    expected = interpret(graph, {"in0": x})["out"]
    unit = 2.0 ** (1 - BITS[dtype])  # values between are rounded to the type four times
    np.testing.assert_allclose(got, expected, rtol=0.0, atol=4 * unit * np.abs(expected).max())


def test_many_heads_run_on_the_reference() -> None:
    graph = _graph(DType.F16, (1, 6, 8, 8, 8), False, False, head=2)
    assert "2 heads" in Program(graph).fallbacks["out"]
