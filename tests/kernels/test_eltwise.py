"""Element-wise ops, tables, concatenation: every instruction set equals the numpy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType

TYPES = [DType.SI8, DType.UI8]
SHAPES = [(1, 1, 1, 1), (2, 3, 4, 5), (1, 16, 3, 3), (1, 33, 1, 7), (3, 100), (2, 7, 9)]

ANY = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ANY
@given(
    shape=st.sampled_from(SHAPES),
    types=st.tuples(*[st.sampled_from(TYPES)] * 3),
    multipliers=st.tuples(*[st.integers(-127, 127)] * 2),
    rshifts=st.tuples(*[st.integers(0, 30)] * 2),
    relu=st.booleans(),
)
def test_add(
    shape: tuple[int, ...],
    types: tuple[DType, ...],
    multipliers: tuple[int, int],
    rshifts: tuple[int, int],
    relu: bool,
    isa: str,
) -> None:
    attrs = {"multipliers": multipliers, "rshifts": rshifts, "do_relu": relu}
    inputs = [(shape, types[0]), (shape, types[1])]
    check(single_op("Add", inputs, (shape, types[2]), attrs))


@pytest.mark.parametrize("small", [(2, 20, 5, 6), (2, 20, 1, 1)])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("rshift", [0, 7, 20])
def test_mul(small: tuple[int, ...], swapped: bool, rshift: int, isa: str) -> None:
    whole = (2, 20, 5, 6)
    inputs = [(whole, DType.SI8), (small, DType.UI8)]
    attrs = {"multiplier": 93, "rshift": rshift}
    graph = single_op("Mul", inputs[::-1] if swapped else inputs, (whole, DType.SI8), attrs)
    check(graph)


def test_mul_of_other_shapes_runs_on_the_reference(isa: str) -> None:
    inputs = [((2, 20, 5, 6), DType.SI8), ((2, 1, 5, 6), DType.UI8)]
    attrs = {"multiplier": 93, "rshift": 14}
    check(single_op("Mul", inputs, ((2, 20, 5, 6), DType.SI8), attrs), kernel=False)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("types", [(a, b, c) for a in TYPES for b in TYPES for c in TYPES])
def test_extremes(op: str, types: tuple[DType, ...], isa: str) -> None:
    shape = (2, 19, 3, 5)
    check(single_op(op, [(shape, types[0]), (shape, types[1])], (shape, types[2]), {}))


UNARY: dict[str, dict[str, Any]] = {
    "MulShift": {"multiplier": 93, "rshift": 6},
    "AddConst": {"multiplier": 101, "rshift": 7, "const_val": 3072.0},
    "SubConst": {"multiplier": 101, "rshift": 7, "const_val": 3072.0, "is_reverse": True},
    "MaxConst": {"const_val": 11.0},
    "MinConst": {"const_val": 11.0},
    "Relu": {},
    "LeakyRelu": {"multiplier": 13, "rshift": 7, "alpha": 0.1},
    "Active": {"mode": "ABSVAL"},
}


@pytest.mark.parametrize("op", UNARY)
@pytest.mark.parametrize("types", [(a, b) for a in TYPES for b in TYPES])
def test_unary(op: str, types: tuple[DType, DType], isa: str) -> None:
    for shape in SHAPES:
        check(single_op(op, [(shape, types[0])], (shape, types[1]), UNARY[op]))


@pytest.mark.parametrize("types", [(a, b) for a in TYPES for b in TYPES])
def test_lut(types: tuple[DType, DType], isa: str) -> None:
    low, high = types[1].qrange
    table = np.random.default_rng(0).integers(low, high + 1, (1, 1, 1, 256))
    weights = [table.astype(types[1].numpy)]
    for shape in SHAPES:
        check(single_op("Lut", [(shape, types[0])], (shape, types[1]), {}, weights))


@pytest.mark.parametrize("channels", [(1, 1), (3, 20), (16, 7, 33)])
@pytest.mark.parametrize("target", TYPES)
@pytest.mark.parametrize("relu", [False, True])
def test_concat(channels: tuple[int, ...], target: DType, relu: bool, isa: str) -> None:
    inputs = [((2, c, 3, 5), TYPES[i % 2]) for i, c in enumerate(channels)]
    attrs = {"axis": 1, "do_relu": relu}
    check(single_op("Concat", inputs, ((2, sum(channels), 3, 5), target), attrs))
