"""One head of int8 attention: every instruction set equals the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType, Graph, QuantType, Value, with_defaults
from tpuc.simulator import Program, interpret
from tpuc.simulator.choose import choose
from tpuc.simulator.interpreter import run_node
from tpuc.simulator.plain import PlainKernel

ANY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def head(
    size: tuple[int, int, int],
    batch: int = 1,
    mask: bool = False,
    bias: bool = True,
    seed: int = 0,
    powers: int = 256,
    kind: DType = DType.SI8,
) -> Graph:
    """(tokens, width of the input, of the head) as a graph of one op, with random numbers.

    Only the first `powers` numbers of the table are not 0.
    """
    tokens, width, depth = size
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return rng.integers(-128, 128, shape).astype(np.int8)

    def row(count: int) -> np.ndarray | None:
        return rng.integers(-(2**16), 2**16, (count,)).astype(np.int32) if bias else None

    parts: list[np.ndarray | None] = [None, None]
    for columns in (depth, depth, depth):
        parts += [matrix(width, columns), row(columns)]
    parts += [matrix(depth, width), row(width)]
    hidden = rng.integers(0, 2, (1, 1, 1, tokens)).astype(np.int32) if mask else None
    table = np.exp(-np.float32(0.05) * np.arange(256)).astype(np.float32).reshape(1, 1, 1, 256)
    table[..., powers:] = 0
    shifts = (24, 24, 25, 22, 20)
    words: list[int] = []
    for shift in shifts:
        words += [int(2**18 * rng.uniform(0.3, 1) / max(width, 1) ** 0.5), shift, 0]
    attrs = {
        "head": 1, "dim": depth, "scale": 1 / 255, "has_bias": 15, "quant_param": (*words, 0),
    }  # fmt: skip
    shape = (batch, tokens, width)
    out = (shape, DType.SI32)
    return single_op("Attention", [(shape, kind)], out, attrs, [*parts, hidden, table])


@pytest.mark.parametrize(
    "size", [(1, 1, 1), (32, 384, 32), (17, 33, 8), (9, 64, 16), (65, 20, 40), (5, 7, 3)]
)
@pytest.mark.parametrize("mask", [False, True])
def test_equals_reference(size: tuple[int, int, int], mask: bool, isa: str) -> None:
    check(head(size, mask=mask))


@pytest.mark.parametrize("powers", [0, 60, 130])
def test_rows_without_any_power(powers: int, isa: str) -> None:
    """Their shares are 0."""
    check(head((17, 33, 8), mask=True, powers=powers))


@pytest.mark.parametrize("size", [(1, 4, 4), (17, 33, 8)])
def test_unsigned_input(size: tuple[int, int, int], isa: str) -> None:
    check(head(size, kind=DType.UI8))


@ANY
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)),
    batch=st.integers(1, 3),
    mask=st.booleans(),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_size(
    size: tuple[int, int, int], batch: int, mask: bool, bias: bool, seed: int, isa: str
) -> None:
    check(head(size, batch, mask, bias, seed), seed)


@pytest.mark.parametrize(("operand", "kernel"), [(4, True), (10, False)])
def test_sums_that_may_not_fit(operand: int, kernel: bool, isa: str) -> None:
    """Those of q, which are requantized, do; the result stays on the reference."""
    graph = head((3, 4, 2))
    (node,) = [n for n in graph.nodes if n.op == "Attention"]
    node.inputs[operand].data[...] = 2**31 - 1
    check(graph, kernel=kernel)


def joined(
    size: tuple[int, int, int], heads: int, batch: int, mask: bool, big: bool = False
) -> Graph:
    """Some heads of one input that are added and requantized; `big`: the sum may be cut."""
    tokens, width, depth = size
    whole = Graph("heads", "tpu")

    def given(name: str, shape: tuple[int, ...], kinds: tuple[DType, ...]) -> Value:
        value = Value(name, shape)
        whole.add("Input", [], [value], with_defaults("Input", {}, "tpu"))
        for kind in kinds:
            cast = Value(f"{name}_{kind}", shape, kind, QuantType(1.0))
            whole.add("Cast", [value], [cast], with_defaults("Cast", {}, "tpu"))
            value = cast
        return value

    x = given("x", (batch, tokens, width), (DType.SI8,))
    hidden = given("m", (batch, 1, 1, tokens), (DType.SI8, DType.SI32)) if mask else None
    total: Value | None = None
    for index in range(heads):
        (node,) = [n for n in head(size, batch, seed=index).nodes if n.op == "Attention"]
        if big:
            node.inputs[10].data[...] = 2**30
        out = Value(f"head{index}", x.shape, DType.SI32)
        operands = [x, None, None, *node.inputs[3:11], hidden, node.inputs[12]]
        whole.add("Attention", operands, [out], node.attrs)
        if total is None:
            total = out
            continue
        summed = Value(f"sum{index}", x.shape, DType.SI32)
        whole.add("Add", [total, out], [summed], with_defaults("Add", {}, "tpu"))
        total = summed
    y = Value("out", x.shape, DType.SI8, QuantType(0.5))
    words = {"multiplier": 3 << 14, "rshift": 28}
    whole.add("RequantInt", [total], [y], with_defaults("RequantInt", words, "tpu"))
    whole.outputs = [y]
    return whole


@pytest.mark.parametrize("size", [(1, 1, 1), (32, 96, 32), (17, 33, 8), (65, 20, 40), (5, 7, 3)])
@pytest.mark.parametrize(("heads", "batch", "mask"), [(1, 1, False), (3, 2, True), (4, 1, True)])
def test_heads_that_are_added_run_at_once(
    size: tuple[int, int, int], heads: int, batch: int, mask: bool, isa: str
) -> None:
    graph = joined(size, heads, batch, mask)
    rng = np.random.default_rng(heads)
    feeds = {v.name: rng.integers(-128, 128, v.shape).astype(np.float32) for v in graph.inputs}
    if mask:
        feeds["m"] = np.clip(feeds["m"] - 63, 0, 1)
    expected = interpret(graph, feeds)
    assert expected["out"].any()
    for threads in (1, 2):
        program = Program(graph, threads)
        assert program.joined == {"out"}
        for observe in (None, "all", None):
            for name, array in program.run_raw(feeds, observe).items():
                np.testing.assert_array_equal(array, expected[name], name)


def test_sums_of_heads_that_may_be_cut_run_one_by_one(isa: str) -> None:
    graph = joined((9, 16, 8), 3, 1, False, big=True)
    rng = np.random.default_rng(0)
    feeds = {"x": rng.integers(-128, 128, (1, 9, 16)).astype(np.float32)}
    program = Program(graph, 2)
    assert program.joined == set()
    expected = interpret(graph, feeds)["out"]
    np.testing.assert_array_equal(program.run_raw(feeds)["out"], expected)


def _same(op: str, arrays: list[np.ndarray], attrs: dict, out: DType) -> np.ndarray:
    """The op's result, which is the reference's."""
    inputs = [(a.shape, DType.SI32) for a in arrays]
    graph = single_op(op, inputs, (arrays[0].shape, out), attrs)
    (node,) = [n for n in graph.nodes if n.op == op]
    kernel = choose(node)
    assert isinstance(kernel, PlainKernel)
    (expected,) = run_node(node, list(arrays))
    for threads in (1, 2):
        found = kernel.run(arrays, threads)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    return expected


def _any(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**31), 2**31, (2, 3, 5001)).astype(np.int32)


@pytest.mark.parametrize(("multiplier", "rshift"), [(1, 25), (3, 26), (2**30, 54), (-7, 28)])
def test_requantization_of_int32(multiplier: int, rshift: int, isa: str) -> None:
    attrs = {"multiplier": multiplier, "rshift": rshift}
    found = _same("RequantInt", [_any(1)], attrs, DType.SI8)
    assert len(np.unique(found)) > 100


def test_halves_of_int32_go_away_from_zero(isa: str) -> None:
    x = np.arange(-300, 300, dtype=np.int32).reshape(1, 3, 200)
    _same("RequantInt", [x], {"multiplier": 1, "rshift": 1}, DType.SI8)


def test_sums_of_int32_are_cut(isa: str) -> None:
    found = _same("Add", [_any(1), _any(2)], {}, DType.SI32)
    assert found.min() == -(2**31) and found.max() == 2**31 - 1
    small = [x >> 8 for x in (_any(1), _any(2))]
    _same("Add", small, {}, DType.SI32)
