"""Matrix products with a constant: every instruction set equals the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType


@pytest.mark.parametrize(
    "size", [(1, 1, 1), (1, 1280, 1000), (3, 5, 70), (29, 64, 16), (7, 131, 9)]
)
@pytest.mark.parametrize("source", [DType.SI8, DType.UI8])
@pytest.mark.parametrize("transposed", [False, True])
def test_equals_reference(
    size: tuple[int, int, int], source: DType, transposed: bool, isa: str
) -> None:
    m, k, n = size
    rng = np.random.default_rng(k)
    right = rng.integers(-128, 128, (n, k) if transposed else (k, n)).astype(np.int8)
    bias = rng.integers(-(2**20), 2**20, (n,)).astype(np.int32)
    attrs = {
        "right_transpose": transposed,
        "multipliers": (int(2**20 / k**0.5),),
        "rshifts": (27,),
        "do_relu": k == 5,
    }
    inputs, out = [((m, k), source)], ((m, n), DType.SI8)
    check(single_op("MatMul", inputs, out, attrs, [right, bias]))


@pytest.mark.parametrize("rshift", [1, 2, 3])
def test_halves_go_away_from_zero(rshift: int, isa: str) -> None:
    """Small shifts of small sums meet many halves of both signs."""
    right = np.array([[1, -1, 3, -3, 5, -5, 7]], np.int8)
    attrs = {"multipliers": (1,), "rshifts": (rshift,)}
    inputs, out = [((40, 1), DType.SI8)], ((40, 7), DType.SI8)
    check(single_op("MatMul", inputs, out, attrs, [right, None]))


def test_computed_right_side_runs_on_the_reference(isa: str) -> None:
    attrs = {"multipliers": (99,), "rshifts": (14,)}
    inputs = [((2, 3, 4), DType.SI8), ((2, 4, 5), DType.SI8)]
    graph = single_op("MatMul", inputs, ((2, 3, 5), DType.SI8), attrs, [None])
    check(graph, kernel=False)
