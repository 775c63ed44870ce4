"""Transposed convolutions to int32, and their requantization, equal the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.single_op import ONE, check, single_op
from tpuc.ir import DType, Graph, Node, Value, with_defaults
from tpuc.ir.shapes import infer_shapes

ANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TWO = st.tuples(st.integers(1, 3), st.integers(1, 3))


def _graph(
    shape: tuple[int, ...], dtype: DType, weights: np.ndarray, bias: np.ndarray | None, attrs: dict
) -> Graph:
    attrs = {"kernel_shape": weights.shape[2:], "output_padding": (0, 0), **attrs}
    operands = [Value("x", shape), Value("w", weights.shape, None, None, weights), None]
    node = Node("Deconv", operands, [Value("y", ())], attrs)
    (out,) = infer_shapes(node)
    graph = single_op("Deconv", [(shape, dtype)], (out, DType.SI32), attrs, [weights, bias])
    graph.outputs[0].quant = ONE
    return graph


@ANY
@given(
    size=st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
    group=st.integers(1, 3),
    channels=st.sampled_from([(1, 1), (1, 3), (5, 1), (7, 18), (4, 33)]),
    kernel=TWO,
    strides=TWO,
    dilations=TWO,
    dtype=st.sampled_from([DType.SI8, DType.UI8]),
    unsigned=st.booleans(),
    data=st.data(),
)
def test_deconv(
    size, group, channels, kernel, strides, dilations, dtype, unsigned, data, isa
) -> None:
    n, h, w = size
    rng = np.random.default_rng(0)
    low, high, kind = (0, 256, np.uint8) if unsigned else (-128, 128, np.int8)
    outputs = channels[1] * group
    weights = rng.integers(low, high, (outputs, channels[0], *kernel)).astype(kind)
    bias = rng.integers(-(2**20), 2**20, outputs).astype(np.int32)
    reach = [(s - 1) * t + d * (k - 1) + 1
             for s, t, d, k in zip((h, w), strides, dilations, kernel)]  # fmt: skip
    pads = [data.draw(st.integers(0, min(k - 1, (r - 1) // 2))) for k, r in zip(kernel, reach)]
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in strides)
    attrs = {
        "strides": strides,
        "dilations": dilations,
        "pads": (*pads, *pads),
        "group": group,
        "output_padding": extra,
    }
    given_bias = data.draw(st.sampled_from([None, bias]))
    check(_graph((n, channels[0] * group, h, w), dtype, weights, given_bias, attrs))


@pytest.mark.parametrize("target", [DType.SI8, DType.UI8])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("group", "mode"), [(1, "HalfAwayFromZero"), (19, "HalfUp")])
def test_requantization_by_channel(
    target: DType, relu: bool, group: int, mode: str, isa: str
) -> None:
    """Shifts from -2 on, both signs of halves, multipliers of both signs."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, (19, 1 if group == 19 else 4, 3, 3)).astype(np.int8)
    attrs = {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": group, "dilations": (1, 1)}
    channels = weights.shape[1] * group
    graph = _graph((2, channels, 5, 6), DType.SI8, weights, None, attrs)
    raw = graph.outputs[0]
    raw.name = "sums"
    words = np.stack([rng.integers(-40, 40, 19), rng.integers(-2, 20, 19), np.zeros(19, int)], 1)
    words[:4] = [[1, 1, 0], [3, 2, 0], [-1, 0, 0], [2**30, 32, 0]]
    if mode == "HalfUp":
        words[3] = [2**30 - 1, 31, 0]
    quant = Value("words", words.shape, DType.SI32, None, words.astype(np.int32))
    result = Value("out", raw.shape, target, ONE)
    attrs = with_defaults("RequantIntAxis", {"do_relu": relu, "round_mode": mode}, "tpu")
    graph.add("RequantIntAxis", [raw, quant], [result], attrs)
    graph.outputs = [result]
    check(graph)


def test_requantization_in_two_steps(isa: str) -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, (19, 4, 3, 3)).astype(np.int8)
    attrs = {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": 1, "dilations": (1, 1)}
    graph = _graph((2, 4, 5, 6), DType.SI8, weights, None, attrs)
    raw = graph.outputs[0]
    raw.name = "sums"
    m, r = rng.integers(2**30, 2**31, 19), np.arange(19)
    words = np.stack([m, r, np.zeros(19, int)], 1)
    quant = Value("words", words.shape, DType.SI32, None, words.astype(np.int32))
    result = Value("out", raw.shape, DType.SI8, ONE)
    end = with_defaults("RequantIntAxis", {"quant_mode": "QDM"}, "tpu")
    graph.add("RequantIntAxis", [raw, quant], [result], end)
    graph.outputs = [result]
    check(graph)


def test_sums_beyond_int32_run_on_the_reference(isa: str) -> None:
    weights = np.full((1, 66000, 1, 1), -128, np.int8)
    attrs = {"strides": (1, 1), "pads": (0, 0, 0, 0), "group": 1, "dilations": (1, 1)}
    check(_graph((1, 66000, 1, 1), DType.UI8, weights, None, attrs), kernel=False)
