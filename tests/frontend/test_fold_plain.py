"""Shape arithmetic in numpy is that of onnx's own reference evaluator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tpuc.frontend.fold_plain import evaluate_plain

LONG = onnx.TensorProto.INT64


def _theirs(op: str, attrs: dict, operands: list[np.ndarray]) -> np.ndarray:
    names = [f"x{i}" for i in range(len(operands))]
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in zip(names, operands)
    ]
    node = helper.make_node(op, names, ["y"], **attrs)
    graph = helper.make_graph([node], "one", infos, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return ReferenceEvaluator(model).run(None, dict(zip(names, operands)))[0]


def _check(op: str, attrs: dict, *operands: object) -> None:
    arrays = [np.asarray(a) for a in operands]
    ours, theirs = evaluate_plain(op, attrs, arrays), _theirs(op, attrs, arrays)
    assert ours is not None
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


NUMBERS = np.arange(-6, 6, dtype=np.int64)


@pytest.mark.parametrize(
    ("op", "attrs", "operands"),
    [
        ("Cast", {"to": 1}, [NUMBERS]),
        ("Cast", {"to": 6}, [NUMBERS]),
        ("Cast", {"to": 9}, [NUMBERS]),
        ("Concat", {"axis": 0}, [NUMBERS, NUMBERS[:2]]),
        ("Concat", {"axis": -1}, [NUMBERS.reshape(3, 4), NUMBERS.reshape(3, 4)]),
        ("ConstantOfShape", {}, [np.array([2, 3])]),
        ("ConstantOfShape", {"value": helper.make_tensor("v", LONG, [1], [7])}, [np.array([4])]),
        ("Reshape", {}, [NUMBERS, np.array([-1, 2])]),
        ("Transpose", {}, [NUMBERS.reshape(3, 4)]),
        ("Transpose", {"perm": [1, 2, 0]}, [NUMBERS.reshape(3, 2, 2)]),
        ("Slice", {}, [NUMBERS.reshape(6, 2), np.array([-1]), np.array([-(2**63) + 1]),
                       np.array([0]), np.array([-1])]),
    ],
)  # fmt: skip
def test_each_op(op, attrs, operands):
    _check(op, attrs, *operands)


@given(
    st.integers(-9, 9), st.integers(-9, 9) | st.sampled_from([2**63 - 1, -(2**63) + 1]),
    st.sampled_from([-3, -2, -1, 1, 2, 5]),
)  # fmt: skip
def test_slices(start, end, step):
    places = (np.array([v]) for v in (start, end, 0, step))
    _check("Slice", {}, NUMBERS, *places)


@pytest.mark.parametrize(
    ("op", "attrs", "operands"),
    [
        ("Cast", {"to": 7}, [np.array([1.5, np.nan])]),
        ("Cast", {"to": 10}, [NUMBERS]),
        ("Reshape", {}, [NUMBERS, np.array([0, 12])]),
        ("Reshape", {}, [NUMBERS, np.array([5, 5])]),
        ("Slice", {}, [NUMBERS, np.array([0]), np.array([2])]),
        ("Concat", {"axis": 3}, [NUMBERS, NUMBERS]),
        ("Transpose", {}, [np.zeros((100, 100))]),
        ("Erf", {}, [NUMBERS]),
    ],
)
def test_the_rest_is_left_to_the_reference(op, attrs, operands):
    assert evaluate_plain(op, attrs, operands) is None
