"""Element-wise ops, tables, concatenation: every instruction set equals the numpy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.single_op import check, integers, single_op
from tpuc.ir import DType, QuantType
from tpuc.simulator import Program, interpret

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


@ANY
@given(
    op=st.sampled_from(["Add", "Sub", "Max", "Min"]),
    shape=st.sampled_from(SHAPES),
    multipliers=st.tuples(*[st.integers(-127, 127)] * 2),
    rshift=st.integers(0, 20),
    relu=st.booleans(),
)
def test_one_shift_behind_the_sum(
    op: str,
    shape: tuple[int, ...],
    multipliers: tuple[int, int],
    rshift: int,
    relu: bool,
    isa: str,
) -> None:
    attrs: dict[str, Any] = {"multipliers": multipliers, "rshifts": (rshift,)}
    if op in ("Add", "Sub"):
        attrs["do_relu"] = relu
    check(single_op(op, [(shape, DType.SI8)] * 2, (shape, DType.SI8), attrs))


@pytest.mark.parametrize("multiplier", [2**30, 2**31 - 1, 1234567891])
@pytest.mark.parametrize("rshift", [0, 1, 7, 15])
def test_products_shifted_twice(multiplier: int, rshift: int, isa: str) -> None:
    attrs = {"multiplier": multiplier, "rshift": rshift, "quant_mode": "QDM"}
    shape = (2, 20, 5, 6)
    check(single_op("Mul", [(shape, DType.SI8)] * 2, (shape, DType.SI8), attrs))


@pytest.mark.parametrize(("multiplier", "rshift"), [(1, 0), (64, 6), (119, 3)])
def test_slopes_beside_a_factor(multiplier: int, rshift: int, isa: str) -> None:
    """PRelu and LeakyRelu whose numbers above 0 are scaled too."""
    shape = (2, 20, 5, 6)
    slopes = np.random.default_rng(0).integers(-128, 128, (1, 20, 1, 1)).astype(np.int8)
    words = {"rshift": 7, "multiplier_pos": multiplier, "rshift_pos": rshift}
    check(single_op("PRelu", [(shape, DType.SI8)], (shape, DType.SI8), words, [slopes]))
    words = {"multiplier": multiplier, "rshift": rshift, "multiplier_neg": 76, "rshift_neg": 8}
    check(single_op("LeakyRelu", [(shape, DType.SI8)], (shape, DType.SI8), words))


@st.composite
def repeated(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape, and two that broadcast to it."""
    whole = draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), min_size=2, max_size=5).map(tuple))
    keep = [draw(st.sampled_from(["both", "both", "left", "right"])) for _ in whole[1:]]
    left = (whole[0], *(1 if k == "right" else s for k, s in zip(keep, whole[1:])))
    right = (whole[0], *(1 if k == "left" else s for k, s in zip(keep, whole[1:])))
    return whole, left, right


@ANY
@given(
    shapes=repeated(),
    types=st.tuples(*[st.sampled_from(TYPES)] * 3),
    op=st.sampled_from(["Add", "Sub", "Mul", "Max", "Min"]),
    reverse=st.booleans(),
    constant=st.booleans(),
    relu=st.booleans(),
)
def test_operands_that_repeat(
    shapes: tuple[tuple[int, ...], ...],
    types: tuple[DType, ...],
    op: str,
    reverse: bool,
    constant: bool,
    relu: bool,
    isa: str,
) -> None:
    whole, left, right = shapes
    attrs: dict[str, Any] = {}
    if op in ("Add", "Sub"):
        attrs = {"multipliers": (93, 117), "rshifts": (6, 7), "do_relu": relu}
    elif op == "Mul":
        attrs = {"multiplier": 93, "rshift": 13, "do_relu": relu}
    if op == "Sub":
        attrs["is_reverse"] = reverse
    inputs = [(left, types[0]), (right, types[1])]
    if not constant:
        check(single_op(op, inputs, (whole, types[2]), attrs))
        return
    low, high = types[1].qrange
    data = np.random.default_rng(0).integers(low, high + 1, right).astype(types[1].numpy)
    check(single_op(op, inputs[:1], (whole, types[2]), attrs, [data]))


@pytest.mark.parametrize("shape", [(1, 20, 1, 1), (20, 1, 1), (1, 20, 5, 6), (6,)])
@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_a_constant_serves_every_sample(shape: tuple[int, ...], op: str, isa: str) -> None:
    data = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    attrs: dict[str, Any] = {"multiplier": 93, "rshift": 13}
    if op == "Add":
        attrs = {"multipliers": (93, 117), "rshifts": (6, 7)}
    graph = single_op(op, [((1, 20, 5, 6), DType.SI8)], ((1, 20, 5, 6), DType.SI8), attrs, [data])
    check(graph)
    feeds = {"in0": integers(np.random.default_rng(1), (3, 20, 5, 6), DType.SI8)}
    together = Program(graph).run_raw(feeds)["out"]
    for i in range(3):
        alone = interpret(graph, {"in0": feeds["in0"][i : i + 1]})["out"]
        np.testing.assert_array_equal(together[i : i + 1], alone)


@pytest.mark.parametrize("types", [(a, b) for a in TYPES for b in TYPES])
@pytest.mark.parametrize("shape", [(2, 19, 3, 5), (2, 16, 7), (3, 40)])
@pytest.mark.parametrize("rshift", [0, 6])
def test_prelu(types: tuple[DType, DType], shape: tuple[int, ...], rshift: int, isa: str) -> None:
    slope = np.random.default_rng(0).integers(-128, 128, shape[1]).astype(np.int8)
    weights = [slope.reshape(1, -1, *(1,) * (len(shape) - 2))]
    check(single_op("PRelu", [(shape, types[0])], (shape, types[1]), {"rshift": rshift}, weights))


@ANY
@given(
    channels=st.sampled_from([1, 2, 21, 100]),
    spread=st.floats(0.001, 0.5),
    types=st.tuples(*[st.sampled_from(TYPES)] * 2),
    scale=st.sampled_from([1 / 255, 1 / 127, 0.5 / 255, 0.01]),
)
def test_softmax(
    channels: int, spread: float, types: tuple[DType, DType], scale: float, isa: str
) -> None:
    shape = (2, channels, 3, 5)
    table = np.exp(-np.arange(256) * spread).astype(np.float32)
    graph = single_op("Softmax", [(shape, types[0])], (shape, types[1]), {"axis": 1}, [table])
    graph.outputs[0].quant = QuantType(scale)
    check(graph)


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
