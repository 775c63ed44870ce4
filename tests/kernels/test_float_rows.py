"""Float element-wise ops, pools, joins and casts equal the reference on every path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.float_op import FLOATS, check_float, float_op, numbers, run_everywhere
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.kernels.casts import round_to
from tpuc.simulator import Program, interpret

ANY = settings(max_examples=25, deadline=None)
SHAPES = [(1, 1, 1, 1), (2, 3, 4, 5), (1, 16, 3, 3), (1, 33, 1, 7), (3, 100), (2, 7, 9)]
PAIRS = ["Add", "Sub", "Mul", "Div", "Max", "Min"]


def _attrs(op: str, relu: bool) -> dict[str, Any]:
    return {"do_relu": relu} if op not in ("Max", "Min", "MaxConst", "MinConst") else {}


@pytest.mark.parametrize("op", PAIRS)
@ANY
@given(
    dtype=st.sampled_from(FLOATS),
    shape=st.sampled_from(SHAPES),
    ones=st.tuples(*[st.booleans()] * 6),
    relu=st.booleans(),
)
def test_pairs(
    op: str, dtype: DType, shape: tuple[int, ...], ones: tuple[bool, ...], relu: bool
) -> None:
    """Either operand may repeat along any dimension but the first."""
    rest = len(shape) - 1
    a = shape[:1] + tuple(1 if one else s for s, one in zip(shape[1:], ones[:rest]))
    b = shape[:1] + tuple(1 if one else s for s, one in zip(shape[1:], ones[3 : 3 + rest]))
    check_float(float_op(op, [a, b], np.broadcast_shapes(a, b), _attrs(op, relu), dtype))


@pytest.mark.parametrize("op", PAIRS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("small", [(20,), (1, 20, 1, 1), (1, 1, 6, 20), (9, 1, 1), ()])
def test_pairs_with_a_constant(op: str, dtype: DType, small: tuple[int, ...]) -> None:
    constant = round_to(numbers(np.random.default_rng(1), small), dtype)
    if op == "Div":
        constant = np.where(constant == 0, np.float32(1), constant)
    shape = (1, 20, 6, 20) if small != (9, 1, 1) else (1, 9, 6, 20)
    check_float(float_op(op, [shape], shape, _attrs(op, False), dtype, [constant]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_three_operands_are_rounded_once(dtype: DType) -> None:
    shape = (2, 5, 3, 7)
    check_float(float_op("Add", [shape] * 3, shape, {"do_relu": True, "relu_limit": 6.0}, dtype))


def test_one_operand_three_times() -> None:
    shape = (2, 5, 3, 7)
    graph = Graph("thrice", "tpu")
    source, cast = Value("in0", shape), Value("x0", shape, DType.F16)
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    graph.add("Cast", [source], [cast], with_defaults("Cast", {}, "tpu"))
    out = Value("out", shape, DType.F16)
    graph.add("Add", [cast] * 3, [out], with_defaults("Add", {}, "tpu"))
    graph.outputs = [out]
    check_float(graph)


@pytest.mark.parametrize("op", ["AddConst", "SubConst", "MulConst", "MaxConst", "MinConst"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_one_number(op: str, dtype: DType, shape: tuple[int, ...]) -> None:
    check_float(float_op(op, [shape], shape, {"const_val": 0.3, **_attrs(op, True)}, dtype))


def test_turned_numbers() -> None:
    shape = (2, 5, 3, 7)
    attrs = {"const_val": 0.3, "is_reverse": True}
    check_float(float_op("SubConst", [shape], shape, attrs, DType.BF16))
    check_float(float_op("Reciprocal", [shape], shape, {"const_val": 0.3}, DType.BF16))


@pytest.mark.parametrize("dtype", FLOATS)
def test_scale(dtype: DType) -> None:
    rng = np.random.default_rng(6)
    weights = [round_to(numbers(rng, (20,)), dtype) for _ in range(2)]
    shape = (2, 20, 3, 5)
    check_float(float_op("Scale", [shape], shape, {"do_relu": True}, dtype, weights))


MODES: dict[str, tuple[float, ...]] = {
    "SIGMOID": (1.5, 0.25),
    "HSIGMOID": (0.5, 0.2),
    "ELU": (0.7,),
    **dict.fromkeys("SILU TANH GELU TGELU QGELU HSWISH MISH SOFT_PLUS EXP ERF".split(), ()),
    **dict.fromkeys("SQRT ABSVAL SOFT_SIGN LN".split(), ()),
}
FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "LeakyRelu": ("LeakyRelu", {"alpha": 0.1}),
    **{mode: ("Active", {"mode": mode, "coeffs": coeffs}) for mode, coeffs in MODES.items()},
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
def test_functions(name: str, dtype: DType) -> None:
    op, attrs = FUNCTIONS[name]
    for shape in SHAPES:
        check_float(float_op(op, [shape], shape, attrs, dtype))


def _one_unit_off(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.view(np.int32).astype(np.int64) - b.view(np.int32)) == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_float32(name: str) -> None:
    """Within the last bit, and hardly ever that: a float64 result may lie at the middle."""
    op, attrs = FUNCTIONS[name]
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.standard_normal(8000) * 2.0**e for e in (-40, -12, -6, 0, 2, 4, 7)])
    tail = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3e38, -3e38]
    x = np.concatenate([x, tail, np.zeros(7)]).astype(np.float32).reshape(4, 14004, 1, 1)
    if name in ("LN", "SQRT"):
        x = np.abs(x)
    graph = float_op(op, [x.shape], x.shape, attrs, DType.F32)
    got = run_everywhere(graph, {"in0": x})
    expected = interpret(graph, {"in0": x})["out"]
    near = (got == expected) | (np.isnan(got) & np.isnan(expected)) | _one_unit_off(got, expected)
    if name in ("GELU", "TGELU"):  # 1 + erf or tanh near -1 has few digits, whoever computes it
        near |= np.isclose(got, expected, rtol=0.0, atol=1e-13)
    assert near.all(), (x[~near][:5], got[~near][:5], expected[~near][:5])
    assert (got == expected).mean() > 0.99


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("slopes", [(20,), (1, 20, 1, 1), (1,)])
def test_prelu(dtype: DType, slopes: tuple[int, ...]) -> None:
    weights = [round_to(numbers(np.random.default_rng(8), slopes), dtype)]
    shape = (1, 20, 3, 5)
    graph = float_op("PRelu", [shape], shape, {}, dtype, weights)
    feeds = {"in0": numbers(np.random.default_rng(9), shape)}
    x = round_to(feeds["in0"], dtype)
    slope = weights[0].reshape(1, -1, 1, 1)
    expected = round_to(np.where(x >= 0, x, x * slope), dtype)
    np.testing.assert_array_equal(run_everywhere(graph, feeds), expected)


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
def test_a_function_of_all_numbers(dtype: DType) -> None:
    bits = np.arange(65536, dtype=np.uint16).reshape(4, 16, 32, 32)
    x = bits.view(np.float16).astype(np.float32)
    x = x if dtype == DType.F16 else (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    graph = float_op("Active", [x.shape], x.shape, {"mode": "SILU"}, dtype)
    feeds = {"in0": np.ascontiguousarray(x)}
    np.testing.assert_array_equal(run_everywhere(graph, feeds), interpret(graph, feeds)["out"])


def test_a_function_of_numbers_that_were_not_rounded() -> None:
    """An operand of 16 bits may hold more: interpolated numbers are not rounded."""
    graph = Graph("unrounded", "tpu")
    source, out = Value("in", (2, 3, 4, 5), DType.F16), Value("out", (2, 3, 4, 5), DType.F16)
    graph.add("Input", [], [source], with_defaults("Input", {}, "tpu"))
    graph.add("Active", [source], [out], with_defaults("Active", {"mode": "SILU"}, "tpu"))
    graph.outputs = [out]
    feeds = {"in": np.linspace(-3, 3, 120, dtype=np.float32).reshape(2, 3, 4, 5)}
    np.testing.assert_array_equal(run_everywhere(graph, feeds), interpret(graph, feeds)["out"])


@pytest.mark.parametrize("op", ["Sub", "Div"])
def test_turned_operands(op: str) -> None:
    shape = (2, 5, 3, 7)
    check_float(float_op(op, [shape, shape], shape, {"is_reverse": True}, DType.F16))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_limits(dtype: DType, shape: tuple[int, ...]) -> None:
    for limit in (-1.0, 6.0, 0.1):
        check_float(float_op("Relu", [shape], shape, {"relu_limit": limit}, dtype))
    check_float(float_op("Clip", [shape], shape, {"min": -0.3, "max": 1.1}, dtype))


@ANY
@given(
    dtype=st.sampled_from(FLOATS),
    mode=st.sampled_from(["Max", "Avg"]),
    channels=st.integers(1, 35),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 1)] * 4),
    count=st.booleans(),
)
def test_pool(
    dtype: DType,
    mode: str,
    channels: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, ...],
    count: bool,
) -> None:
    attrs = {
        "pool_mode": mode,
        "kernel_shape": kernel,
        "strides": strides,
        "pads": pads,
        "count_include_pad": count,
        "do_relu": True,
    }
    padded = [s + pads[i] + pads[i + 2] for i, s in enumerate(size)]
    out = tuple((p - k) // s + 1 for p, k, s in zip(padded, kernel, strides))
    graph = float_op("Pool2D", [(2, channels, *size)], (2, channels, *out), attrs, dtype)
    check_float(graph, slack=None if mode == "Max" else 1e-6)


@pytest.mark.parametrize("keepdims", [False, True])
def test_global_average(keepdims: bool) -> None:
    attrs = {"pool_mode": "Avg", "kernel_shape": (7, 9), "strides": (1, 1), "pads": (0, 0, 0, 0)}
    out = (2, 40, 1, 1) if keepdims else (2, 40)
    graph = float_op("Pool2D", [(2, 40, 7, 9)], out, {**attrs, "keepdims": keepdims}, DType.F16)
    check_float(graph, slack=1e-6)


@pytest.mark.parametrize("channels", [(1, 1), (3, 20), (16, 7, 33)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_concat(channels: tuple[int, ...], dtype: DType) -> None:
    shapes = [(2, c, 3, 5) for c in channels]
    attrs = {"axis": 1, "do_relu": True}
    check_float(float_op("Concat", shapes, (2, sum(channels), 3, 5), attrs, dtype))


def test_concat_of_a_constant() -> None:
    """The sample's constant is that of every sample of a larger batch."""
    token = numbers(np.random.default_rng(3), (1, 2, 9))
    graph = float_op("Concat", [(1, 5, 9)], (1, 7, 9), {"axis": 1}, DType.F32, [token])
    check_float(graph)


NO_LIMITS = {"min": -np.inf, "max": np.inf}


def _chain(
    kinds: list[tuple[DType, QuantType | None]], shape: tuple[int, ...], through: str = ""
) -> Graph:
    """Casts between two Clips, which keep everything as an image."""
    graph = Graph("casts", "tpu")
    value = Value("in", shape)
    graph.add("Input", [], [value], with_defaults("Input", {}, "tpu"))
    first, last = Value("first", shape), Value("out", shape, kinds[-1][0])
    graph.add("Clip", [value], [first], with_defaults("Clip", NO_LIMITS, "tpu"))
    value = first
    for index, (dtype, quant) in enumerate(kinds):
        made = Value(f"c{index}", shape, dtype, quant)
        graph.add("Cast", [value], [made], with_defaults("Cast", {"through": through}, "tpu"))
        value = made
    graph.add("Clip", [value], [last], with_defaults("Clip", NO_LIMITS, "tpu"))
    graph.outputs = [last]
    return graph


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", [DType.SI8, DType.UI8])
@pytest.mark.parametrize("shape", SHAPES)
def test_casts_to_bytes_and_back(dtype: DType, kind: DType, shape: tuple[int, ...]) -> None:
    graph = _chain([(dtype, None), (kind, QuantType(0.0371)), (dtype, None)], shape)
    special = numbers(np.random.default_rng(4), shape)
    special.flat[:: max(1, special.size // 9)] = [np.nan, 1e30, -1e30][special.size % 3]
    for feeds in ({"in": special}, {"in": numbers(np.random.default_rng(5), shape)}):
        expected = interpret(graph, feeds)["out"]
        np.testing.assert_array_equal(run_everywhere(graph, feeds), expected)


@pytest.mark.parametrize("dtype", [DType.F32, DType.BF16])
@pytest.mark.parametrize("shape", SHAPES)
def test_casts_through_bf16(dtype: DType, shape: tuple[int, ...]) -> None:
    """To BF16 by cutting, to integers with halves to even."""
    kinds = [(dtype, None), (DType.SI8, QuantType(0.5)), (dtype, None)]
    graph = _chain(kinds, shape, "BF16")
    halves = np.round(numbers(np.random.default_rng(6), shape) * 64) / 4
    for feeds in ({"in": halves}, {"in": numbers(np.random.default_rng(7), shape)}):
        expected = interpret(graph, feeds)["out"]
        np.testing.assert_array_equal(run_everywhere(graph, feeds), expected)


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16])
@pytest.mark.parametrize("high", [0, 1, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
def test_rounding_of_every_size(dtype: DType, high: int) -> None:
    """All float32 whose upper 16 bits are anything: nearest even, overflow, subnormals, NaN."""
    bits = (np.arange(65536, dtype=np.uint32) << np.uint32(16)) | np.uint32(high)
    feeds = {"in": np.ascontiguousarray(bits.view(np.float32).reshape(4, 16, 32, 32))}
    graph = _chain([(dtype, None)], (4, 16, 32, 32))
    np.testing.assert_array_equal(run_everywhere(graph, feeds), round_to(feeds["in"], dtype))


def test_samples_that_differ_in_number_run_on_the_reference() -> None:
    shape = (2, 3, 4)
    each = float_op("Max", [shape], shape, {}, DType.F16, [np.ones(shape, np.float32)])
    one = float_op("Add", [shape, (1, 3, 4)], shape, {}, DType.F16)
    for graph in (each, one):
        assert "sample" in Program(graph).fallbacks["out"]


def test_constants_that_do_not_fit_run_on_the_reference() -> None:
    graph = float_op("Add", [(2, 3, 4)], (2, 3, 4), {}, DType.F16)
    assert "one operand" in Program(graph).fallbacks["out"]
