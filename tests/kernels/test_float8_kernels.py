"""C kernels of 8-bit floats equal the reference on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.float_op import float_op, numbers, run_everywhere
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.kernels.casts import round_to
from tpuc.simulator import interpret

KINDS = [DType.F8E4M3, DType.F8E5M2]
SHAPES = [(1, 1, 1, 1), (2, 3, 4, 5), (1, 16, 3, 3), (1, 33, 1, 7), (3, 100), (2, 7, 9)]
ANY = settings(max_examples=20, deadline=None)


def _graph(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], kind: DType, weights: Any = ()
) -> Graph:
    """Inputs, cast to the type -> op -> output, all of them with scales in F8E4M3."""
    out = attrs.pop("shape", None) or np.broadcast_shapes(*shapes)

    def scales(index: int) -> QuantType | None:
        return _scale(kind, 0.017 if index == -1 else 0.013 + 0.004 * index)

    return float_op(op, shapes, out, attrs, kind, weights, scales)


def _scale(kind: DType, scale: float) -> QuantType | None:
    return QuantType(scale) if kind == DType.F8E4M3 else None


def _check(graph: Graph, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    feeds = {v.name: numbers(rng, v.shape) for v in graph.inputs}
    expected = interpret(graph, feeds)["out"]
    got = run_everywhere(graph, feeds)
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
    return got


@pytest.mark.parametrize("kind", KINDS)
@ANY
@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 1000))
def test_casts_round_as_the_reference(kind: DType, shape: tuple[int, ...], seed: int) -> None:
    for far in (DType.F32, DType.F16, DType.BF16):
        graph = Graph("casts", "tpu")
        source, middle = Value("in0", shape), Value("x", shape, kind, _scale(kind, 0.0071))
        graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
        graph.add("Cast", [source], [middle], with_defaults("Cast", {}, "tpu"))
        relu = Value("y", shape, kind, middle.quant)
        graph.add("Relu", [middle], [relu], with_defaults("Relu", {}, "tpu"))
        out = Value("out", shape, far)
        graph.add("Cast", [relu], [out], with_defaults("Cast", {}, "tpu"))
        graph.outputs = [out]
        _check(graph, seed)


@pytest.mark.parametrize("op", ["Add", "Sub"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("relu", [(False, -1.0), (True, -1.0), (True, 20.0)])
@pytest.mark.parametrize("other", [(2, 33, 4, 5), (2, 33, 1, 1), (2, 1, 4, 1)])
def test_sums(op: str, kind: DType, relu: tuple[bool, float], other: tuple[int, ...]) -> None:
    attrs: dict[str, Any] = {"do_relu": relu[0], "relu_limit": relu[1]}
    if kind == DType.F8E4M3:
        attrs["f8_scales"] = (0.7469831, 0.51234567)
    _check(_graph(op, [(2, 33, 4, 5), other], attrs, kind))


@pytest.mark.parametrize("op", ["AddConst", "SubConst"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back", [False, True])
def test_sums_with_a_number(op: str, kind: DType, back: bool) -> None:
    attrs: dict[str, Any] = {"const_val": 3.1415}
    if op == "SubConst":
        attrs["is_reverse"] = back
    if kind == DType.F8E4M3:
        attrs["f8_scales"] = (0.7469831, 1.0)
    _check(_graph(op, [(2, 33, 4, 5)], attrs, kind))


@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_sums_with_a_constant_of_halves(op: str) -> None:
    constant = round_to(numbers(np.random.default_rng(1), (1, 33, 1, 1)) * 40, DType.F16)
    attrs = {"f8_scales": (0.7469831, 1.0)}
    weights = [(constant, DType.F16)]
    _check(_graph(op, [(2, 33, 4, 5)], attrs, DType.F8E4M3, weights))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("group", [1, 4])
@pytest.mark.parametrize("relu", [(False, -1.0), (True, -1.0), (True, 40.0)])
def test_convolutions_with_a_scale_for_each_channel(
    kind: DType, group: int, relu: tuple[bool, float]
) -> None:
    rng = np.random.default_rng(3)
    filters = round_to(numbers(rng, (20, 8 // group, 3, 3)) * 20, kind)
    bias = rng.standard_normal(20).astype(np.float32) * 30
    attrs: dict[str, Any] = {
        "kernel_shape": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1), "group": group,
        "do_relu": relu[0], "relu_limit": relu[1], "shape": (2, 20, 6, 5),
    }  # fmt: skip
    if kind == DType.F8E4M3:
        attrs["out_f8_scales"] = tuple(map(float, rng.uniform(0.001, 0.1, 20)))
    weights = [(filters, kind), (bias, DType.F32)]
    got = _check(_graph("Conv2D", [(2, 8, 6, 5)], attrs, kind, weights))
    zeros = got == 0
    assert zeros.any() == relu[0]
    if relu[0]:  # negative sums keep their sign, but where a limit cuts
        assert np.signbit(got[zeros]).all() == (relu[1] < 0)


@pytest.mark.parametrize("kind", KINDS)
def test_products_pools_and_the_rest(kind: DType) -> None:
    four = kind == DType.F8E4M3
    scale: dict[str, Any] = {"out_f8_scales": (0.0123,)} if four else {}
    right = round_to(numbers(np.random.default_rng(2), (30, 17)) * 9, kind)
    product = {"shape": (4, 17), "do_relu": True, **scale}
    _check(_graph("MatMul", [(4, 30)], product, kind, [(right, kind)]))
    _check(_graph("MatMul", [(2, 5, 6), (2, 6, 7)], {"shape": (2, 5, 7), **scale}, kind))
    _check(_graph("Mul", [(2, 5, 3, 3), (2, 5, 1, 1)], dict(scale), kind))
    window = {"kernel_shape": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0)}
    pooled = {**window, "shape": (2, 5, 3, 3)}
    average = {**pooled, "pool_mode": "Avg", **({"out_f8_scales": (1.3,)} if four else {})}
    _check(_graph("Pool2D", [(2, 5, 6, 6)], average, kind))
    _check(_graph("Pool2D", [(2, 5, 6, 6)], {**pooled, "pool_mode": "Max"}, kind))
    _check(_graph("MulConst", [(2, 5, 3, 3)], {"const_val": -1.7}, kind))
    _check(_graph("Active", [(2, 5, 3, 3)], {"mode": "ABSVAL", "coeffs": ()}, kind))


@pytest.mark.parametrize("kind", [*KINDS, DType.F16])
def test_of_several_zeros_a_pool_keeps_the_first(kind: DType) -> None:
    window = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}
    graph = _graph("Pool2D", [(1, 20, 9, 9)], {**window, "pool_mode": "Max",
                                               "shape": (1, 20, 5, 5)}, kind)  # fmt: skip
    signs = np.random.default_rng(4).integers(0, 2, (1, 20, 9, 9))
    feeds = {"in0": np.where(signs == 1, -0.0, 0.0).astype(np.float32)}
    expected, got = interpret(graph, feeds)["out"], run_everywhere(graph, feeds)
    assert np.signbit(got).any() and not np.signbit(got).all()
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))
