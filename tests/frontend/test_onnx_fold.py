"""Shape arithmetic and constants vanish before conversion; other number types become float32."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.frontend.onnx_models import X, build, constants, expected, save, weights
from tpuc.execute import run
from tpuc.frontend import read_onnx

FLATTEN = """
s = Shape(x) d = Gather(s, zero) u = Unsqueeze(d, axes) t = Concat<axis=0>(u, rest)
y = Reshape(x, t)
"""
DATA = constants(zero=0, axes=[0], rest=[-1])
ARITHMETIC = {
    "shape, gather, concat": (FLATTEN, DATA),
    "shape with bounds": (
        "s = Shape<start=1, end=3>(x) t = Concat<axis=0>(one, s, rest) y = Reshape(x, t)",
        constants(one=[1], rest=[-1]),
    ),
    "shape of an inner tensor": (
        "p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) s = Shape(p) t = Slice(s, two, four)"
        ' d = Mul(t, twice) n = Concat<axis=0>(h, d) y = Resize<mode="linear">(x, "", "", n)',
        constants(two=[2], four=[4], twice=[3, 4], h=[1, 4]),
    ),
    "expand by a computed shape": (
        "g = GlobalAveragePool(x) s = Shape(x) e = Expand(g, s) y = Mul(e, x)",
        {},
    ),
    "shape behind a constant that a computed shape made": (
        "s = Shape(x) d = Gather(s, zero) u = Unsqueeze(d, axes) t = Concat<axis=0>(u, tail)"
        " r = Reshape(t, rest) v = Shape(r) f = ConstantOfShape<value=int64[1] {1}>(v) n = Neg(f)"
        " e = Equal(r, n)"
        " w = Where(e, f, r) p = Expand(token, w) j = Concat<axis=1>(p, x) k = Shape(j)"
        " m = Gather(k, one) q = Unsqueeze(m, axes) h = Concat<axis=0>(u, q, rest)"
        " y = Reshape(j, h)",
        {
            **constants(zero=0, one=1, axes=[0], rest=[-1], tail=[1, 8, 8]),
            "token": weights(1, 1, 8, 8),
        },
    ),
    "constant of shape": ("s = Shape(x) z = ConstantOfShape(s) o = Add(z, c) y = Mul(x, o)", {}),
    "weights made by nodes": (
        "t = Transpose<perm=[1,0,2,3]>(w) c = Cast<to=1>(t) y = Conv(x, c)",
        {"w": weights(4, 3, 3, 3).astype(np.float64)},
    ),
    "range and cast": (
        "r = Range(zero, four, one) f = Cast<to=1>(r) u = Reshape(f, n) y = Add(x, u)",
        constants(zero=0, four=4, one=1, n=[1, 4, 1, 1]),
    ),
}


@pytest.mark.parametrize("case", ARITHMETIC)
def test_what_is_known_is_folded(case, tmp_path):
    body, data = ARITHMETIC[case]
    data = {**data, **(constants(c=1.5) if "c)" in body and "Conv" not in body else {})}
    model = build(body, data)
    graph = read_onnx(save(model, tmp_path))
    computed = {"Shape", "ConstantOfShape", "Cast", "Range"}
    assert not computed & {n.op for n in graph}
    x = weights(*X)
    got = run(graph, {"x": x})[graph.outputs[0].name]
    np.testing.assert_allclose(got, expected(model, x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
def test_an_open_batch_that_is_given_is_folded(batch, tmp_path):
    path = save(build(FLATTEN, DATA, shape=("N", 4, "H", "W")), tmp_path)
    graph = read_onnx(path, [[batch, 4, 6, 5]])
    assert [n.op for n in graph] == ["Input", "Reshape"]
    assert graph.outputs[0].shape == (batch, 120)


def test_shapes_in_the_file_give_way_to_input_shapes(tmp_path):
    model = build("p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) y = Relu(p)")
    path = save(onnx.shape_inference.infer_shapes(model), tmp_path)
    assert read_onnx(path, [[1, 4, 20, 12]]).outputs[0].shape == (1, 4, 10, 6)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_other_float_types_become_float32(kind, tmp_path):
    model = build("c = Conv(x, w) y = Relu(c)", {"w": weights(2, 4, 3, 3).astype(kind)})
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    graph = read_onnx(save(model, tmp_path))
    (filters,) = graph.weights()
    assert filters.data is not None and filters.data.dtype == np.float32
    np.testing.assert_array_equal(filters.data, weights(2, 4, 3, 3).astype(kind).astype("f4"))


def test_external_data_is_read(tmp_path):
    model = build("y = Conv(x, w)", {"w": weights(2, 4, 3, 3)})
    plain = read_onnx(save(model, tmp_path, "plain"))
    path = tmp_path / "external.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    data = read_onnx(path).weights()[0].data
    np.testing.assert_array_equal(data, plain.weights()[0].data)


def test_intermediate_outputs_by_name(tmp_path):
    path = save(build("a = Relu(x) b = Tanh(a) y = Abs(b)"), tmp_path)
    graph = read_onnx(path, output_names=["b", "a"])
    assert [v.name for v in graph.outputs] == ["b_Tanh", "a_Relu"]


def test_several_inputs_keep_their_order(tmp_path):
    model = build("t = Concat<axis=1>(z, x) y = Relu(t)")
    info = onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1, 2, 8, 8])
    model.graph.input.append(info)
    graph = read_onnx(save(model, tmp_path), {"z": (1, 5, 8, 8)})
    assert [(v.name, v.shape) for v in graph.inputs] == [("x", X), ("z", (1, 5, 8, 8))]


def test_names_of_removed_outputs_move_to_the_op_before(tmp_path):
    data = {"w": weights(4, 4, 1, 1), "g": np.abs(weights(4)) + 1}
    body = "c = Conv(x, w) n = BatchNormalization(c, g, g, g, g) y = Dropout(n)"
    graph = read_onnx(save(build(body, data), tmp_path))
    assert [n.name for n in graph] == ["x", "y_Conv"]
