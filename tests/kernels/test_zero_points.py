"""Operands and results with zero points: every instruction set equals the numpy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType, Graph, QuantType
from tpuc.ir.shapes import infer_shapes

ZEROS = [(-128, 5), (37, -128), (-6, 127)]
S = DType.SI8


def shifted(graph: Graph, zeros: tuple[int, int]) -> Graph:
    """The graph with a zero point for its operands and one for its result."""
    for value in graph.values():
        if value.quant is not None and value.data is None:
            value.quant = QuantType(value.quant.scale, zeros[value.name == "out"])
    return graph


def made(shape: tuple[int, ...], dtype: type, seed: int = 3) -> np.ndarray:
    limit = np.iinfo(dtype).max // 2 if dtype == np.int8 else 3000
    return np.random.default_rng(seed).integers(-limit, limit, shape).astype(dtype)


def windowed(op: str, channels: int, weights: tuple[int, ...], attrs: dict[str, Any]) -> Graph:
    """A 3 x 3 op of a picture of 7 x 6."""
    fields = {"kernel_shape": (3, 3), "strides": (2, 1), "pads": (1, 1, 1, 1), **attrs}
    operands = [made(weights, np.int8), made((weights[0],), np.int32)] if weights else []
    graph = single_op(op, [((2, channels, 7, 6), S)], ((1,), S), fields, operands)
    graph.outputs[0].shape = infer_shapes(graph.nodes[-1])[0]
    return graph


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("group", [1, 20])
def test_conv(zeros: tuple[int, int], relu: bool, group: int, isa: str) -> None:
    words = {"multiplier": (3_000_001,) * 20, "rshift": (32,) * 20}
    attrs = {"dilations": (1, 1), "group": group, "do_relu": relu, **words}
    check(shifted(windowed("Conv2D", 20, (20, 20 // group, 3, 3), attrs), zeros))


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("mode", ["Max", "Avg"])
@pytest.mark.parametrize("channels", [3, 67])
def test_pool(zeros: tuple[int, int], mode: str, channels: int, isa: str) -> None:
    zeros = (zeros[0], zeros[0]) if mode == "Max" else zeros
    attrs: dict[str, Any] = {"pool_mode": mode}
    if mode == "Avg":
        attrs.update(scale=0.0917, offset=zeros[1] - 0.8253 * zeros[0])
    check(shifted(windowed("Pool2D", channels, (), attrs), zeros))


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("op", ["Add", "Mul", "Max", "Min"])
@pytest.mark.parametrize("small", [(2, 20, 5, 6), (2, 20, 1, 1), (1, 1, 5, 6)])
def test_pairs(zeros: tuple[int, int], op: str, small: tuple[int, ...], isa: str) -> None:
    attrs: dict[str, Any] = {}
    if op == "Add":
        attrs = {"multipliers": (93, 41), "rshifts": (7, 5), "do_relu": True}
    elif op == "Mul":
        attrs = {"multiplier": 93, "rshift": 13}
    whole = (2, 20, 5, 6)
    check(shifted(single_op(op, [(whole, S), (small, S)], (whole, S), attrs), zeros))


@pytest.mark.parametrize("zeros", ZEROS)
def test_product_with_a_constant(zeros: tuple[int, int], isa: str) -> None:
    operands = [made((40, 24), np.int8), made((24,), np.int32)]
    words = {"multipliers": (3_000_001,), "rshifts": (32,)}
    graph = single_op("MatMul", [((2, 5, 40), S)], ((2, 5, 24), S), words, operands)
    check(shifted(graph, zeros))


def test_product_of_two_with_zero_points_is_left_to_the_reference(isa: str) -> None:
    words = {"multipliers": (3_000_001,), "rshifts": (32,)}
    inputs = [((2, 5, 40), S), ((2, 40, 24), S)]
    check(shifted(single_op("MatMul", inputs, ((2, 5, 24), S), words), (3, 5)), kernel=False)


@pytest.mark.parametrize("zeros", ZEROS)
def test_requantization(zeros: tuple[int, int], isa: str) -> None:
    shape = (1, 5, 4, 4)
    words = {"multiplier": 59, "rshift": 6}
    check(shifted(single_op("RequantInt", [(shape, S)], (shape, S), words), zeros))
