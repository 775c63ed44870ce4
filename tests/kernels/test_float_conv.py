"""Float convolutions and matrix products: near the reference, the same bits on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.kernels.float_op import BITS, FLOATS, check_float, float_op, numbers
from tpuc.ir import DType, Graph
from tpuc.kernels.casts import round_to

ANY = settings(max_examples=40, deadline=None)


def _slack(graph: Graph, terms: int) -> float:
    """What another order of `terms` products below 2^12 may change, and half's smallest step."""
    return terms * 2.0**12 * 2.0**-24 + 2.0**-24


def _sizes(shape: tuple[int, ...], kernel: tuple[int, ...], attrs: dict[str, Any]) -> list[int]:
    """Height and width of the result; not positive where no window fits."""
    spatial, pads = len(kernel), attrs["pads"]
    sizes = []
    for i, (size, k) in enumerate(zip(shape[2:], kernel)):
        rest = size + pads[i] + pads[i + spatial] - attrs["dilations"][i] * (k - 1) - 1
        sizes.append(rest // attrs["strides"][i] + 1)
    return sizes


def _conv(
    dtype: DType, shape: tuple[int, ...], filters: tuple[int, ...], attrs: dict[str, Any]
) -> Graph:
    rng = np.random.default_rng(1)
    weights = round_to(numbers(rng, filters), dtype)
    bias = numbers(rng, filters[:1])
    out = (shape[0], filters[0], *_sizes(shape, filters[2:], attrs))
    attrs = {"kernel_shape": filters[2:], **attrs}
    return float_op("Conv2D", [shape], out, attrs, dtype, [weights, bias])


@ANY
@given(
    dtype=st.sampled_from(FLOATS),
    group=st.sampled_from([1, 1, 2, 3]),
    per_in=st.integers(1, 20),
    per_out=st.integers(1, 70),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    limit=st.sampled_from([None, -1.0, 6.0]),
)
def test_conv(
    dtype: DType,
    group: int,
    per_in: int,
    per_out: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
    limit: float | None,
) -> None:
    attrs = {"group": group, "strides": strides, "dilations": dilations, "pads": pads}
    if limit is not None:
        attrs |= {"do_relu": True, "relu_limit": limit}
    shape, filters = (2, group * per_in, *size), (group * per_out, per_in, *kernel)
    assume(min(_sizes(shape, kernel, attrs)) > 0)
    graph = _conv(dtype, shape, filters, attrs)
    check_float(graph, slack=_slack(graph, per_in * kernel[0] * kernel[1]))


@ANY
@given(
    dtype=st.sampled_from(FLOATS),
    channels=st.integers(2, 40),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_depthwise(
    dtype: DType,
    channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    pads: tuple[int, ...],
) -> None:
    attrs = {"group": channels, "strides": strides, "dilations": dilations, "pads": pads}
    assume(min(_sizes((2, channels, *size), kernel, attrs)) > 0)
    graph = _conv(dtype, (2, channels, *size), (channels, 1, *kernel), attrs)
    check_float(graph, slack=_slack(graph, kernel[0] * kernel[1]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_dimensional_conv(dtype: DType) -> None:
    attrs = {"group": 1, "strides": (2,), "dilations": (1,), "pads": (1, 2)}
    graph = _conv(dtype, (2, 5, 30), (18, 5, 3), attrs)
    check_float(graph, slack=_slack(graph, 15))


@pytest.mark.parametrize("channels", [33, 330])
def test_weights_beyond_the_cache(channels: int) -> None:
    """Many pieces of pixels, and few pixels with many weights."""
    attrs = {"group": 1, "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    size = (20, 31) if channels < 100 else (3, 5)
    graph = _conv(DType.F16, (1, channels, *size), (1000, channels, 1, 1), attrs)
    check_float(graph, slack=_slack(graph, channels))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("turned", [False, True])
def test_matmul(dtype: DType, turned: bool) -> None:
    rng = np.random.default_rng(2)
    right = round_to(numbers(rng, (75, 37) if turned else (37, 75)), dtype)
    bias = numbers(rng, (75,))
    attrs = {"right_transpose": turned, "do_relu": True}
    graph = float_op("MatMul", [(5, 37)], (5, 75), attrs, dtype, [right, bias])
    check_float(graph, slack=_slack(graph, 37))


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_are_chains_of_fused_products_and_the_bias_comes_last(dtype: DType) -> None:
    """Every product and the difference of neighbours is exact in float64: round once per step."""
    rng = np.random.default_rng(3)
    filters = round_to(numbers(rng, (7, 50, 1, 1)), dtype)
    bias = numbers(rng, (7,))
    attrs = {
        "kernel_shape": (1, 1),
        "group": 1,
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": (0, 0, 0, 0),
    }
    graph = float_op("Conv2D", [(1, 50, 4, 3)], (1, 7, 4, 3), attrs, dtype, [filters, bias])
    got, _ = check_float(graph, slack=_slack(graph, 50))
    x = round_to(numbers(np.random.default_rng(0), (1, 50, 4, 3)), dtype).astype(np.float64)
    total = np.zeros((1, 7, 4, 3), np.float32)
    for k in range(50):  # products of 24 bits fit float64; its sum may round twice for F32 only
        exact = x[:, k : k + 1] * filters[:, k].reshape(1, 7, 1, 1).astype(np.float64) + total
        total = exact.astype(np.float32)
    expected = round_to(total + bias.reshape(1, 7, 1, 1), dtype)
    unequal = int((got != expected).sum())
    assert unequal == 0 or (dtype == DType.F32 and unequal <= 2)
    assert BITS[dtype] in (8, 11, 24)
