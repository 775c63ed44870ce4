"""Slices of a wide product become products of their own."""

from __future__ import annotations

import pytest

from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.ir import verify
from tpuc.passes import split_matmul


def _slices(net, product, halves):
    parts = []
    for i, (start, end) in enumerate(halves):
        attrs = {"offset": (0, 0, start), "ends": (1, 4, end), "steps": (1, 1, 1)}
        parts.append(net.op("Slice", f"s{i}", product, None, None, None, **attrs))
    return parts


@pytest.mark.parametrize("width", [128, 127])
def test_each_wide_slice_gets_its_columns(width):
    net = Net(1, 4, 6)
    weights = net.weight("w", 6, 2 * width), net.weight("b", 2 * width)
    product = net.op("MatMul", "m", net.x, *weights)
    left, right = _slices(net, product, [(0, width), (width, 2 * width)])
    graph = net.done(net.op("Mul", "y", left, right))
    before = graph.clone()
    split_matmul.run(graph)
    verify(graph, "top")
    assert_same_numbers(before, graph)
    wide = ["MatMul s0", "MatMul s1", "Mul y"]
    assert ops(graph) == (wide if width >= 128 else ["MatMul m", "Slice s0", "Slice s1", "Mul y"])


def test_a_product_that_something_else_reads_stays():
    net = Net(1, 4, 6)
    product = net.op("MatMul", "m", net.x, net.weight("w", 6, 256), None)
    left, right = _slices(net, product, [(0, 128), (128, 256)])
    both = net.op("Concat", "c", left, right, axis=2)
    graph = net.done(net.op("Add", "y", both, product))
    assert split_matmul.run(graph).count == 0
