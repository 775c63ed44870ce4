"""Float convolutions and matrix products equal the exact sums of `float_reference`, everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.kernels.float_op import FLOATS, check_float, float_op, numbers, run_everywhere
from tpuc.ir import DType, Graph
from tpuc.kernels.casts import round_to
from tpuc.kernels.float_reference import conv_in_order, matmul_in_order

ANY = settings(max_examples=40, deadline=None)


def _slack(terms: int) -> float:
    """What another order of `terms` products below 2^12 may change, and half's smallest step."""
    return terms * 2.0**12 * 2.0**-24 + 2.0**-24


def _finish(total: np.ndarray, graph: Graph) -> np.ndarray:
    """Fused relu and rounding of the graph's one op."""
    node = graph.nodes[-1]
    if node.attrs["do_relu"]:
        limit = node.number("relu_limit")
        total = np.clip(total, 0.0, limit if limit > 0 else np.inf)
    return round_to(total, node.output.dtype)


def _check_conv(graph: Graph) -> None:
    """Bit for bit the described order."""
    node = graph.nodes[-1]
    feeds = {v.name: numbers(np.random.default_rng(0), v.shape) for v in graph.inputs}
    x = round_to(feeds["in0"], node.output.dtype)
    window = node.ints("strides"), node.ints("pads"), node.ints("dilations")
    total = conv_in_order(x, node.weight(1), node.weight(2), window, node.integer("group"))
    np.testing.assert_array_equal(run_everywhere(graph, feeds), _finish(total, graph))


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
    _check_conv(graph)


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
    _check_conv(graph)


@pytest.mark.parametrize("dtype", FLOATS)
def test_one_dimensional_conv(dtype: DType) -> None:
    attrs = {"group": 1, "strides": (2,), "dilations": (1,), "pads": (1, 2)}
    graph = _conv(dtype, (2, 5, 30), (18, 5, 3), attrs)
    check_float(graph, slack=_slack(15))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])  # of numbers that are not zero
@pytest.mark.parametrize(
    ("size", "filters", "group"),
    [
        ((13, 11), (112, 130, 1, 1), 1),  # strips of three and four blocks, two pieces of pixels
        ((2, 3), (50, 32, 1, 1), 1),
        ((3, 5), (134, 33, 1, 1), 2),
        ((5, 5), (200, 500, 1, 1), 1),  # two chunks; an odd number of strips
        ((4, 4), (70, 900, 1, 1), 1),  # three chunks
        ((3, 3), (80, 40, 2, 2), 1),  # zeros are not left out
    ],
)
def test_mostly_zeros(
    dtype: DType, share: float, size: tuple[int, int], filters: tuple[int, ...], group: int
) -> None:
    attrs = {"group": group, "strides": (2, 1), "dilations": (1, 1), "pads": (1, 0, 0, 1)}
    graph = _conv(dtype, (3, filters[1] * group, *size), filters, attrs)
    rng = np.random.default_rng(3)
    x = round_to(numbers(rng, graph.inputs[0].shape), dtype)
    x[rng.random(x.shape) >= share] = 0.0
    x *= rng.choice([-1.0, 1.0], x.shape).astype(np.float32)  # zeros of either sign
    node = graph.nodes[-1]
    window = node.ints("strides"), node.ints("pads"), node.ints("dilations")
    total = conv_in_order(x, node.weight(1), node.weight(2), window, group)
    np.testing.assert_array_equal(run_everywhere(graph, {"in0": x}), _finish(total, graph))


@pytest.mark.parametrize("strange", [np.inf, np.nan])
def test_zeros_times_weights_that_are_no_numbers(strange: float) -> None:
    attrs = {"group": 1, "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    graph = _conv(DType.F32, (1, 40, 3, 3), (70, 40, 1, 1), attrs)
    graph.nodes[-1].weight(1)[3, 5] = strange
    out = run_everywhere(graph, {"in0": np.zeros((1, 40, 3, 3), np.float32)})
    assert np.isnan(out[0, 3]).all()
    assert np.isfinite(out[0, 4]).all()


@pytest.mark.parametrize(
    ("size", "filters"),
    [
        ((20, 31), (1000, 33, 1, 1)),  # many pieces of pixels
        ((3, 5), (900, 330, 1, 1)),  # more weights than the cache holds
        ((4, 4), (70, 900, 1, 1)),  # one whole chunk and two halves
        ((5, 4), (20, 90, 3, 3)),  # chunks that end inside a window
        ((1, 1), (35, 303, 1, 1)),  # one pixel: eight chains
        ((3, 3), (20, 33, 3, 3)),  # one pixel of a larger window
        ((6, 6), (1, 513, 1, 1)),  # one output
        ((13, 13), (1, 3, 13, 11)),
    ],
)
def test_every_kind_of_order(size: tuple[int, int], filters: tuple[int, ...]) -> None:
    attrs = {"group": 1, "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    for dtype in FLOATS:
        _check_conv(_conv(dtype, (1, filters[1], *size), filters, attrs))


def test_a_large_depthwise_window() -> None:
    attrs = {"group": 3, "strides": (1, 1), "dilations": (1, 1), "pads": (9, 9, 9, 9)}
    _check_conv(_conv(DType.F16, (1, 3, 6, 6), (3, 1, 23, 23), attrs))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("terms", [37, 700, 1100])
def test_matmul(dtype: DType, turned: bool, terms: int) -> None:
    rng = np.random.default_rng(2)
    right = round_to(numbers(rng, (75, terms) if turned else (terms, 75)), dtype)
    bias = numbers(rng, (75,))
    attrs = {"right_transpose": turned, "do_relu": True}
    graph = float_op("MatMul", [(5, terms)], (5, 75), attrs, dtype, [right, bias])
    feeds = {"in0": numbers(rng, (5, terms))}
    left = round_to(feeds["in0"], dtype)
    total = matmul_in_order(left, right.T if turned else right, bias)
    np.testing.assert_array_equal(run_everywhere(graph, feeds), _finish(total, graph))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("left", "right", "turned"),
    [
        ((2, 5, 37), (37, 21), False),
        ((2, 70, 37), (21, 37), True),
        ((1, 1, 600), (600, 50), False),
        ((3, 33, 7), (1, 7, 100), False),
        ((2, 12, 5, 37), (37, 21), False),
    ],
)
def test_images_times_a_constant(
    dtype: DType, left: tuple[int, ...], right: tuple[int, ...], turned: bool
) -> None:
    rng = np.random.default_rng(5)
    weights = round_to(numbers(rng, right), dtype)
    columns = right[-2] if turned else right[-1]
    bias = numbers(rng, (columns,))
    attrs = {"right_transpose": turned, "do_relu": True, "relu_limit": 6.0}
    graph = float_op("MatMul", [left], (*left[:-1], columns), attrs, dtype, [weights, bias])
    feeds = {"in0": numbers(rng, left)}
    matrix = weights.reshape(weights.shape[-2:])
    total = matmul_in_order(round_to(feeds["in0"], dtype), matrix.T if turned else matrix, bias)
    np.testing.assert_array_equal(run_everywhere(graph, feeds), _finish(total, graph))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(
    ("batch", "rows", "terms", "columns"),
    [((2,), 33, 7, 19), ((2, 12), 9, 8, 7), ((1, 17), 20, 5, 3), ((1, 3), 2, 1030, 4)],
)
def test_images_times_images(
    dtype: DType,
    turned: tuple[bool, bool],
    batch: tuple[int, ...],
    rows: int,
    terms: int,
    columns: int,
) -> None:
    if turned[0] and len(batch) == 1:
        return  # on the reference
    rng = np.random.default_rng(6)
    left = (terms, rows) if turned[0] else (rows, terms)
    right = (columns, terms) if turned[1] else (terms, columns)
    attrs = {"left_transpose": turned[0], "right_transpose": turned[1]}
    shapes = [(*batch, *left), (*batch, *right)]
    graph = float_op("MatMul", shapes, (*batch, rows, columns), attrs, dtype)
    feeds = {f"in{i}": numbers(rng, shape) for i, shape in enumerate(shapes)}
    a, b = (round_to(feeds[f"in{i}"], dtype) for i in (0, 1))
    a, b = a.swapaxes(-1, -2) if turned[0] else a, b.swapaxes(-1, -2) if turned[1] else b
    expected = _finish(matmul_in_order(a, b, None), graph)
    np.testing.assert_array_equal(run_everywhere(graph, feeds), expected)
