"""Convolutions: every instruction set equals the numpy reference bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernels.single_op import check, single_op
from tpuc.ir import DType, Graph
from tpuc.ir.shapes import infer_shapes

TYPES = [DType.SI8, DType.UI8]


@dataclass(frozen=True)
class Case:
    """A convolution; `per_out` and `per_in` are channels per group."""

    size: tuple[int, int] = (5, 6)
    per_in: int = 3
    per_out: int = 5
    group: int = 1
    kernel: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (1, 1, 1, 1)
    dilations: tuple[int, int] = (1, 1)
    batch: int = 1
    source: DType = DType.UI8
    target: DType = DType.SI8
    unsigned: bool = False
    bias: bool = True
    relu: bool = False
    shift: int = 20
    two_steps: bool = False
    seed: int = 0


def build(case: Case) -> Graph:
    rng = np.random.default_rng(case.seed)
    oc = case.per_out * case.group
    shape = (oc, case.per_in, *case.kernel)
    low, high = (0, 256) if case.unsigned else (-128, 128)
    weights = rng.integers(low, high, shape).astype(np.uint8 if case.unsigned else np.int8)
    weights.flat[0], weights.flat[-1] = low, high - 1
    weights[oc // 2] = high - 1  # largest sums
    bias = rng.integers(-(2**20), 2**20, (1, oc, 1, 1)).astype(np.int32)
    reach = np.sqrt(case.per_in * case.kernel[0] * case.kernel[1]) * 2.0**6
    factors = rng.uniform(0.2, 2.0, oc) / reach
    multiplier = np.maximum(np.round(factors * 2.0**case.shift), 1).astype(int)
    attrs = {
        "kernel_shape": case.kernel,
        "strides": case.strides,
        "pads": case.pads,
        "dilations": case.dilations,
        "group": case.group,
        "do_relu": case.relu,
        "multiplier": tuple(int(m) for m in multiplier),
        "rshift": (case.shift,) * oc,
    }
    if case.two_steps:  # by 31, then by what is left: also by nothing
        attrs["quant_mode"] = "QDM"
        attrs["multiplier"] = tuple(int(m) for m in rng.integers(2**30, 2**31, oc))
        attrs["rshift"] = tuple(int(r) for r in rng.integers(0, 14, oc))
    picture = (case.batch, case.per_in * case.group, *case.size)
    operands = [weights, bias if case.bias else None]
    graph = single_op("Conv2D", [(picture, case.source)], ((1,), case.target), attrs, operands)
    graph.outputs[0].shape = infer_shapes(graph.nodes[-1])[0]
    return graph


CASES = {
    "two steps": Case((9, 7), 9, 35, two_steps=True, source=DType.SI8),
    "two steps, relu": Case((9, 7), 40, 5, two_steps=True, source=DType.SI8, relu=True),
    "two steps, depthwise": Case(
        (9, 7), 1, 1, 35, two_steps=True, source=DType.SI8, strides=(1, 2)
    ),
    "two steps, wide depthwise": Case(
        (9, 7), 1, 1, 17, (5, 5), pads=(2, 2, 2, 2), two_steps=True, source=DType.SI8
    ),
    "one pixel": Case((1, 1), 1, 1, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "pad wider than kernel": Case((2, 3), 4, 7, pads=(4, 5, 6, 3)),
    "pointwise wide": Case((7, 7), 70, 130, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "pointwise strided": Case((7, 9), 33, 20, kernel=(1, 1), pads=(0, 0, 0, 0), strides=(2, 3)),
    "first layer": Case((17, 19), 3, 32, pads=(0, 0, 1, 1), strides=(2, 2), source=DType.SI8),
    "dilated": Case((11, 12), 16, 17, dilations=(2, 3), pads=(2, 3, 2, 3)),
    "dilated one row": Case((11, 12), 16, 17, kernel=(3, 1), dilations=(2, 1), pads=(2, 0, 2, 0)),
    "grouped": Case((6, 5), 5, 6, group=3),
    "grouped wide": Case((6, 5), 16, 40, group=2, source=DType.SI8),
    "channel multiplier": Case((6, 5), 1, 3, group=6),
    "depthwise 3x3": Case((9, 10), 1, 1, group=40, relu=True),
    "depthwise 3x3 odd": Case((9, 11), 1, 1, group=5, source=DType.SI8),
    "depthwise 3x3 stride 2": Case((9, 10), 1, 1, group=24, strides=(2, 2), pads=(0, 0, 1, 1)),
    "depthwise 5x5": Case((9, 10), 1, 1, group=33, kernel=(5, 5), pads=(2, 2, 2, 2)),
    "depthwise 5x5 stride 2": Case(
        (12, 13), 1, 1, group=16, kernel=(5, 5), strides=(2, 2), pads=(1, 2, 2, 1)
    ),
    "depthwise 7x9": Case((12, 13), 1, 1, group=18, kernel=(7, 9), pads=(3, 4, 3, 4)),
    "depthwise dilated": Case((12, 13), 1, 1, group=18, dilations=(3, 4), pads=(3, 4, 3, 4)),
    "depthwise narrow": Case((4, 1), 1, 1, group=18),
    "depthwise 1x1": Case((4, 5), 1, 1, group=18, kernel=(1, 1), pads=(0, 0, 0, 0)),
    "unsigned weights": Case((4, 5), 6, 19, unsigned=True, bias=False),
    "unsigned depthwise": Case((4, 5), 1, 1, group=19, unsigned=True, bias=False, source=DType.SI8),
    "no bias": Case(bias=False, source=DType.SI8, target=DType.UI8),
    "relu on signed": Case(relu=True),
    "no shift": Case((3, 3), 2, 3, shift=0),
    "batch": Case((5, 5), 8, 16, batch=5),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_reference(name: str, isa: str) -> None:
    check(build(CASES[name]))


@pytest.mark.parametrize("shift", [-3, 0, 1, 31, 32])
def test_extreme_shifts(shift: int, isa: str) -> None:
    graph = build(Case(per_out=17))
    attrs = graph.nodes[-1].attrs
    attrs["rshift"] = (shift,) * 17
    attrs["multiplier"] = tuple(
        (-1) ** i * min(2**30, max(1, 2 ** max(shift - 6, 0) + i)) for i in range(17)
    )
    check(graph)


def test_sums_beyond_int32_run_on_the_reference(isa: str) -> None:
    graph = build(Case((1, 1), 4, 2, kernel=(1, 1), pads=(0, 0, 0, 0)))
    graph.nodes[-1].attrs["multiplier"] = (2**30, 2**30)
    graph.nodes[-1].attrs["rshift"] = (0, 0)
    check(graph, kernel=False)


def test_one_dimensional(isa: str) -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(-128, 128, (6, 4, 3)).astype(np.int8)
    attrs = {
        "kernel_shape": (3,),
        "strides": (2,),
        "pads": (1, 2),
        "dilations": (1,),
        "group": 1,
        "multiplier": (99,) * 6,
        "rshift": (12,) * 6,
    }
    graph = single_op(
        "Conv2D", [((2, 4, 11), DType.SI8)], ((2, 6, 6), DType.UI8), attrs, [weights, None]
    )
    check(graph)


cases = st.builds(
    Case,
    size=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    per_in=st.integers(1, 20),
    per_out=st.integers(1, 40),
    group=st.sampled_from([1, 1, 2, 3]),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    batch=st.integers(1, 3),
    source=st.sampled_from(TYPES),
    target=st.sampled_from(TYPES),
    unsigned=st.booleans(),
    bias=st.booleans(),
    relu=st.booleans(),
    shift=st.integers(8, 30),
    seed=st.integers(0, 99),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=cases)
def test_any_convolution(case: Case, isa: str) -> None:
    check(build(case))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=cases, channels=st.integers(2, 50), kernel=st.tuples(*[st.integers(1, 6)] * 2))
def test_any_depthwise(case: Case, channels: int, kernel: tuple[int, int], isa: str) -> None:
    fields = {**case.__dict__, "per_in": 1, "per_out": 1, "group": channels}
    fields.update(kernel=kernel, size=(case.size[0] + 3, case.size[1] + 3))
    check(build(Case(**fields)))
