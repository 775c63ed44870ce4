"""Convolutions of patches become products where TPU-MLIR makes them so, and stay where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.passes.net import Net
from tpuc.ir import DType, Graph
from tpuc.lowering import lower
from tpuc.simulator.interpreter import interpret

# (input channels, kernel, stride, pad, group) and whether bm1684x makes a product of it
SHAPES = {
    (3, 14, 14, 0, 1): True,
    (1, 16, 16, 0, 1): True,
    (3, 32, 32, 0, 1): True,
    (3, 13, 13, 0, 1): False,
    (4, 16, 16, 0, 1): False,
    (3, 14, 7, 0, 1): False,
    (3, 16, 16, 16, 1): False,
    (3, 16, 16, 0, 3): False,
}


def net(shape: tuple[int, ...], behind: bool = False, relu: bool = False) -> Graph:
    channels, kernel, stride, pad, group = shape
    made = Net(1, channels, 2 * kernel, 3 * kernel)
    attrs = {"strides": (stride, stride), "group": group, "do_relu": relu}
    out = made.conv("c", made.x, 6, kernel, pad, **attrs)
    if behind:
        out = made.op("Reshape", "flat", out, shape=(1, 6, -1))
        out = made.op("Permute", "turned", out, order=(0, 2, 1))
    return made.done(out)


@pytest.mark.parametrize(("shape", "product"), SHAPES.items())
def test_which(shape, product, bm1684x):
    graph = lower(net(shape), None, bm1684x, "F16").graph
    assert any(n.op == "MatMul" for n in graph) == product
    assert any(n.op == "Conv2D" for n in graph) != product


def test_the_processor_says_how_large(bm1684x):
    for sides, product in (((), False), ((14, 28), False), ((14, 32), True)):
        facts = replace(bm1684x, patch_sides=sides)
        graph = lower(net((3, 32, 32, 0, 1)), None, facts, "F16").graph
        assert any(n.op == "MatMul" for n in graph) == product


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_numbers_are_the_convolutions(behind, relu, bm1684x):
    graph = net((3, 14, 14, 0, 1), behind, relu)
    feed = {"x": np.random.default_rng(0).standard_normal((1, 3, 28, 42)).astype(np.float32)}
    results = []
    for facts in (bm1684x, replace(bm1684x, patch_sides=())):
        lowered = lower(graph, None, facts, "F32").graph
        results += [interpret(lowered, feed)[v.name] for v in lowered.outputs]
    assert results[0].shape == results[1].shape
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-5)


def test_names_are_tpu_mlirs(bm1684x):
    graph = lower(net((3, 14, 14, 0, 1), behind=True), None, bm1684x, "F16").graph
    made = [(n.op, n.name) for n in graph if n.op != "Input"]
    assert made == [
        ("Reshape", "c_0"), ("Cast", "c_0c_1_f16"), ("Permute", "c_1"), ("Permute", "c_2"),
        ("Reshape", "c_3"), ("MatMul", "c_6"), ("Permute", "c_7"), ("Permute", "turned"),
        ("Cast", "turned_f32"),
    ]  # fmt: skip
    assert {n.output.dtype for n in graph if n.op == "MatMul"} == {DType.F16}
