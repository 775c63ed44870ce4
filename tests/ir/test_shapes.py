"""Shape rules: what onnxruntime's results do not show, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tpuc.errors import GraphError
from tpuc.ir import Graph, Node, Value
from tpuc.ir.ops import TOP_OPS
from tpuc.ir.shapes import check_shapes, infer_shapes


def _node(op: str, *shapes: tuple[int, ...] | None, **attrs: Any) -> Node:
    graph = Graph("g")
    inputs = [None if s is None else Value(f"v{i}", s) for i, s in enumerate(shapes)]
    return graph.add(op, inputs, [Value("y", ())], attrs)


def _window(kernel, stride, begin, end, **more):
    pads = (begin, begin, end, end)
    return {"kernel_shape": (kernel,) * 2, "strides": (stride,) * 2, "pads": pads, **more}


def _empty(*shape):
    return torch.empty(shape, device="meta")


SIZES = st.integers(1, 30)
SMALL = st.integers(1, 5)
PADS = st.integers(0, 4)


@settings(deadline=None)
@given(size=SIZES, kernel=SMALL, stride=SMALL, pad=PADS, dilation=st.integers(1, 3))
def test_conv_sizes_are_torchs(size, kernel, stride, pad, dilation):
    assume(size + 2 * pad > dilation * (kernel - 1))
    attrs = _window(kernel, stride, pad, pad, dilations=(dilation,) * 2)
    node = _node("Conv", (2, 3, size, size + 1), (5, 3, kernel, kernel), None, **attrs)
    x, w = _empty(2, 3, size, size + 1), _empty(5, 3, kernel, kernel)
    wanted = tuple(F.conv2d(x, w, None, stride, pad, dilation).shape)
    assert infer_shapes(node) == (wanted,)


@settings(deadline=None)
@given(size=SIZES, kernel=SMALL, stride=SMALL, pad=PADS, ceil=st.booleans())
def test_pool_sizes_are_torchs(size, kernel, stride, pad, ceil):
    assume(2 * pad <= kernel and size + 2 * pad >= kernel)
    attrs = _window(kernel, stride, pad, pad, ceil_mode=ceil, keepdims=True)
    node = _node("MaxPool", (1, 2, size, size), **attrs)
    x = _empty(1, 2, size, size)
    wanted = tuple(F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil).shape)
    assert infer_shapes(node) == (wanted,)


@settings(deadline=None)
@given(size=SIZES, kernel=SMALL, stride=SMALL, pad=PADS, extra=st.integers(0, 3))
def test_transposed_conv_sizes_are_torchs(size, kernel, stride, pad, extra):
    assume(extra < stride and (size - 1) * stride + kernel + extra > 2 * pad)
    attrs = _window(kernel, stride, pad, pad, output_padding=(extra,) * 2, dilations=(1, 1))
    node = _node("Deconv", (1, 3, size, size), (4, 3, kernel, kernel), None, **attrs)
    x, w = _empty(1, 3, size, size), _empty(3, 4, kernel, kernel)
    wanted = tuple(F.conv_transpose2d(x, w, None, stride, pad, extra).shape)
    assert infer_shapes(node) == (wanted,)


@settings(deadline=None)
@given(data=st.data())
def test_slice_sizes_are_numpys(data):
    size = data.draw(SIZES)
    start, end = data.draw(st.integers(-40, 40)), data.draw(st.integers(-40, 40))
    step = data.draw(st.sampled_from([1, 2, 3, -1, -2]))
    # ONNX clamps where numpy wraps: an end before the first element means "through the first"
    assume(not (step < 0 and end < -size) and -size <= start)
    wanted = np.zeros((2, size))[:, start:end:step].shape
    attrs = {"axes": (1,), "offset": (start,), "ends": (end,), "steps": (step,)}
    assert infer_shapes(_node("Slice", (2, size), **attrs)) == (wanted,)


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "wanted"),
    [
        ("Add", [(1, 4, 1, 1), (8, 1), (3, 1, 1, 1)], {}, (3, 4, 8, 1)),
        ("MatMul", [(2, 1, 3, 4), (5, 4, 6), None], {}, (2, 5, 3, 6)),
        ("MatMul", [(4, 3), (6, 4)], {"left_transpose": True, "right_transpose": True}, (3, 6)),
        ("MatMul", [(2, 4), (4,)], {}, (2,)),
        ("Reshape", [(2, 3, 4)], {"shape": (0, -1)}, (2, 12)),
        ("Flatten", [(2, 3, 4, 5)], {"start_dim": 1, "end_dim": -2}, (2, 12, 5)),
        ("Squeeze", [(1, 1)], {"axes": (0, 1)}, (1,)),
        ("Squeeze", [(2, 1, 3, 1)], {"axes": ()}, (2, 3)),
        ("Unsqueeze", [(2, 3)], {"axes": (-1, 0)}, (1, 2, 3, 1)),
        ("Tile", [(2, 3)], {"tile": (4, 1, 2)}, (4, 2, 6)),
        ("Gather", [(2, 3, 4), (5, 6)], {"axis": 1, "keepdims": True}, (2, 5, 6, 4)),
        ("Gather", [(2, 3, 4), (1,)], {"axis": -1, "keepdims": False}, (2, 3)),
        ("Reduce", [(2, 3)], {"axes": (-1, 0), "keepdims": False}, (1,)),
        ("Reduce", [(2, 3)], {"axes": (-1,), "keepdims": True}, (2, 1)),
        ("Interp", [(1, 2, 5, 7), None], {"scale_h": 1.5, "scale_w": 2.0}, (1, 2, 7, 14)),
        ("Upsample", [(1, 2, 5, 7)], {"scale_h": 2, "scale_w": 3}, (1, 2, 10, 21)),
    ],
)
def test_sizes(op, shapes, attrs, wanted):
    assert infer_shapes(_node(op, *shapes, **attrs))[0] == wanted


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "pattern"),
    [
        ("Add", [(2, 3), (4,)], {}, r"Add 'y': shapes .* do not broadcast"),
        ("MatMul", [(2, 3), (4, 5)], {}, r"inner sizes differ"),
        ("Reshape", [(2, 3)], {"shape": (4, 2)}, r"\(2, 3\) can not become \(4, 2\)"),
        ("Reshape", [(2, 3)], {"shape": (4, -1)}, r"can not become"),
        ("Concat", [(2, 3), (3, 3)], {"axis": 1}, r"do not join along axis 1"),
        ("Conv", [(1, 3, 2, 2), (4, 3, 3, 3)], _window(3, 1, 0, 0), r"is empty"),
        ("Conv", [(1, 3, 9), (4, 3, 3, 3)], _window(3, 1, 0, 0), r"kernel \(3, 3\)"),
        ("MaxPool", [(1, 3, 2, 2)], _window(3, 1, 0, 0), r"is empty"),
        ("Nothing", [(1,)], {}, r"Nothing 'y': no shape rule"),
    ],
)
def test_what_does_not_fit_is_refused(op, shapes, attrs, pattern):
    with pytest.raises(GraphError, match=pattern):
        infer_shapes(_node(op, *shapes, **attrs))


def test_every_op_of_the_table_has_a_rule():
    without = []
    for op in TOP_OPS:
        try:
            infer_shapes(_node(op, (1, 1, 1, 1), (1, 1, 1, 1)))
        except GraphError as error:
            without += [op] if "no shape rule" in str(error) else []
        except (KeyError, AssertionError, IndexError, ValueError):
            pass  # it has a rule, which misses its attributes
    assert set(without) <= {"Input", "Weight", "None"}


def test_a_reshape_without_a_shape_has_the_one_it_declares():
    graph = Graph("g")
    x = Value("x", (1, 4, 4, 8))
    graph.add("Input", [], [x], {"do_preprocess": False})
    node = graph.add("Reshape", [x], [Value("y", (1, 16, 8))], {"flatten_start_dim": -1})
    assert infer_shapes(node) == ((1, 16, 8),)
    node.output.shape = (1, 16, 9)  # does not hold the same numbers: a stranger's
    with pytest.raises(GraphError, match="its shape is"):
        check_shapes(graph)


def test_attributes_that_no_rule_can_use_are_a_graph_error():
    attrs = {"kernel_shape": (3, 3), "strides": (1, 1), "pads": (0, 0, 0, 0), "group": 0}
    node = _node("Conv", (1, 4, 8, 8), (4, 4, 3, 3), dilations=(1, 1), **attrs)
    with pytest.raises(GraphError, match="Conv 'y': operands or attributes do not fit"):
        infer_shapes(node)


def test_a_missing_operand_is_a_graph_error():
    with pytest.raises(GraphError, match="Relu 'y': operands or attributes do not fit"):
        infer_shapes(_node("Relu", None))
