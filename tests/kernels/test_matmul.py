"""Matrix products: every instruction set equals the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("rshift", [-1, 0, 1, 2, 3])
def test_halves_go_away_from_zero(rshift: int, isa: str) -> None:
    """Small shifts of small sums meet many halves of both signs."""
    right = np.array([[1, -1, 3, -3, 5, -5, 7]], np.int8)
    attrs = {"multipliers": (1,), "rshifts": (rshift,)}
    inputs, out = [((40, 1), DType.SI8)], ((40, 7), DType.SI8)
    check(single_op("MatMul", inputs, out, attrs, [right, None]))


ANY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TYPES = st.sampled_from([DType.SI8, DType.UI8])
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 90))


def _flip(shape: tuple[int, ...], flipped: bool) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2]) if flipped else shape


@ANY
@given(
    size=SIZES,
    lead=st.lists(st.integers(1, 4), max_size=4).map(tuple),
    types=st.tuples(TYPES, TYPES, TYPES),
    flipped=st.tuples(st.booleans(), st.booleans()),
    relu=st.booleans(),
    small=st.booleans(),
)
def test_computed_matrices(
    size: tuple[int, int, int],
    lead: tuple[int, ...],
    types: tuple[DType, DType, DType],
    flipped: tuple[bool, bool],
    relu: bool,
    small: bool,
    isa: str,
) -> None:
    m, k, n = size
    narrow = (*lead[:1], *(1 for _ in lead[1:])) if small else lead
    left, right = _flip((*lead, m, k), flipped[0]), _flip((*narrow, k, n), flipped[1])
    attrs = {
        "multipliers": (int(2**20 / k**0.5),),
        "rshifts": (29,),
        "left_transpose": flipped[0],
        "right_transpose": flipped[1],
        "do_relu": relu,
    }
    inputs, out = [(left, types[0]), (right, types[1])], ((*lead, m, n), types[2])
    check(single_op("MatMul", inputs, out, attrs, [None]))


@ANY
@given(
    size=SIZES,
    lead=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    types=st.tuples(TYPES, TYPES),
    flipped=st.tuples(st.booleans(), st.booleans()),
    biased=st.booleans(),
)
def test_constants_of_many_rows(
    size: tuple[int, int, int],
    lead: tuple[int, ...],
    types: tuple[DType, DType],
    flipped: tuple[bool, bool],
    biased: bool,
    isa: str,
) -> None:
    m, k, n = size
    rng = np.random.default_rng(k)
    right = rng.integers(-128, 128, _flip((k, n), flipped[1])).astype(np.int8)
    bias = rng.integers(-(2**12), 2**12, (n,)).astype(np.int32) if biased else None
    attrs = {
        "multipliers": (int(2**20 / k**0.5),),
        "rshifts": (27,),
        "left_transpose": flipped[0],
        "right_transpose": flipped[1],
    }
    inputs, out = [(_flip((*lead, m, k), flipped[0]), types[0])], ((*lead, m, n), types[1])
    check(single_op("MatMul", inputs, out, attrs, [right, bias]))


@pytest.mark.parametrize("left", [DType.SI8, DType.UI8])
@pytest.mark.parametrize("right", [DType.SI8, DType.UI8])
def test_long_sums_of_extremes(left: DType, right: DType, isa: str) -> None:
    attrs = {"multipliers": (3,), "rshifts": (21,)}
    inputs = [((1, 3, 130, 700), left), ((1, 3, 700, 130), right)]
    check(single_op("MatMul", inputs, ((1, 3, 130, 130), DType.SI8), attrs, [None]))


def test_a_constant_for_each_product(isa: str) -> None:
    right = np.random.default_rng(0).integers(-128, 128, (1, 3, 20, 17)).astype(np.int8)
    attrs = {"multipliers": (99,), "rshifts": (14,)}
    inputs, out = [((2, 3, 18, 20), DType.SI8)], ((2, 3, 18, 17), DType.SI8)
    check(single_op("MatMul", inputs, out, attrs, [right, None]))


def test_a_bias_of_computed_matrices_runs_on_the_reference(isa: str) -> None:
    attrs = {"multipliers": (99,), "rshifts": (14,)}
    inputs = [((2, 3, 4), DType.SI8), ((2, 4, 5), DType.SI8)]
    bias = np.arange(5, dtype=np.int32)
    check(single_op("MatMul", inputs, ((2, 3, 5), DType.SI8), attrs, [bias]), kernel=False)
