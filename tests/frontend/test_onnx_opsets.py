"""Each opset's own way to write an operator gives the same graph and result."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.onnx_models import NEWEST, X, build, constants, expected, save, weights
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.passes import canonicalize

ALL = """
c = Conv<pads=[1,1,1,1], group=2>(x, w, b)
n = BatchNormalization(c, s, b, b, s)
r = Relu(n)
m = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(r)
a = AveragePool<kernel_shape=[2,2]>(m)
p = PRelu(a, k)
l = LeakyRelu<alpha=0.1>(p)
q = Add(l, p)
t = Concat<axis=1>(q, l)
d = Transpose<perm=[0,2,3,1]>(t)
e = Transpose<perm=[0,3,1,2]>(d)
g = GlobalAveragePool(e)
f = Flatten(g)
o = Identity(f)
y = Gemm<transB=1>(o, v, b)
"""
DATA = {
    "w": weights(4, 2, 3, 3),
    "b": np.abs(weights(4)) + 0.5,
    "s": np.abs(weights(4)) + 1,
    "k": weights(4, 1, 1),
    "v": weights(4, 8),
}

# (operator, first opset, last opset, body, constants)
FORMS = [
    ("clip", 9, 10, "y = Clip<min=0.0, max=1.0>(x)", {}),
    ("clip", 11, NEWEST, "y = Clip(x, l, h)", constants(l=0.0, h=1.0)),
    ("clip open", 9, 10, "y = Clip<max=1.0>(x)", {}),
    ("clip open", 11, NEWEST, 'y = Clip(x, "", h)', constants(h=1.0)),
    ("slice", 9, 9, "y = Slice<axes=[2], starts=[1], ends=[-1]>(x)", {}),
    ("slice", 10, NEWEST, "y = Slice(x, b, e, a)", constants(b=[1], e=[-1], a=[2])),
    ("pad", 9, 10, "y = Pad<pads=[0,0,1,2,0,0,3,4], value=0.5>(x)", {}),
    ("pad", 11, NEWEST, "y = Pad(x, p, v)", constants(p=[0, 0, 1, 2, 0, 0, 3, 4], v=0.5)),
    ("pad", 18, NEWEST, "y = Pad(x, p, v, a)", constants(p=[1, 2, 3, 4], v=0.5, a=[2, -1])),
    ("squeeze", 9, 12, "g = GlobalMaxPool(x) y = Squeeze<axes=[2,3]>(g)", {}),
    ("squeeze", 13, NEWEST, "g = GlobalMaxPool(x) y = Squeeze(g, a)", constants(a=[2, 3])),
    ("unsqueeze", 9, 12, "y = Unsqueeze<axes=[0]>(x)", {}),
    ("unsqueeze", 13, NEWEST, "y = Unsqueeze(x, a)", constants(a=[0])),
    ("split", 9, 12, "y, z = Split<axis=1, split=[3,1]>(x)", {}),
    ("split", 13, NEWEST, "y, z = Split<axis=1>(x, s)", constants(s=[3, 1])),
    ("halves", 9, 17, "y, z = Split<axis=1>(x)", {}),
    ("halves", 18, NEWEST, "y, z = Split<axis=1, num_outputs=2>(x)", {}),
    ("sum", 9, 12, "y = ReduceSum<axes=[1]>(x)", {}),
    ("sum", 13, NEWEST, "y = ReduceSum(x, a)", constants(a=[1])),
    ("mean", 9, 17, "y = ReduceMean<axes=[2,3]>(x)", {}),
    ("mean", 18, NEWEST, "y = ReduceMean(x, a)", constants(a=[2, 3])),
    ("l2", 9, 17, "y = ReduceL2<axes=[1]>(x)", {}),
    ("l2", 18, NEWEST, "y = ReduceL2(x, a)", constants(a=[1])),
    ("softmax flat", 9, 12, "g = GlobalMaxPool(x) f = Flatten(g) y = Softmax(f)", {}),
    ("softmax flat", 13, NEWEST, "g = GlobalMaxPool(x) f = Flatten(g) y = Softmax(f)", {}),
    ("softmax last", 9, NEWEST, "y = Softmax<axis=3>(x)", {}),
    ("dropout", 9, 11, "d = Dropout<ratio=0.3>(x) y = Relu(d)", {}),
    ("dropout", 12, NEWEST, "d = Dropout(x, r) y = Relu(d)", constants(r=0.3)),
    ("double", 9, 9, 'y = Upsample<mode="nearest">(x, c)', constants(c=[1.0, 1.0, 2.0, 2.0])),
    ("double", 10, 10, 'y = Resize<mode="nearest">(x, c)', constants(c=[1.0, 1.0, 2.0, 2.0])),
    (
        "double",
        11,
        12,
        'y = Resize<coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, r, c)',
        {**constants(c=[1.0, 1.0, 2.0, 2.0]), "r": np.zeros(0, np.float32)},
    ),
    (
        "double",
        13,
        NEWEST,
        'y = Resize<coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, "", c)',
        constants(c=[1.0, 1.0, 2.0, 2.0]),
    ),
    ("hard swish", 14, NEWEST, "y = HardSwish(x)", {}),
    ("mish", 18, NEWEST, "y = Mish(x)", {}),
    ("gelu", 20, NEWEST, "y = Gelu(x)", {}),
    ("gelu tanh", 20, NEWEST, 'y = Gelu<approximate="tanh">(x)', {}),
    ("expand", 9, NEWEST, "g = GlobalMaxPool(x) y = Expand(g, s)", constants(s=[1, 4, 2, 3])),
    ("arg max", 9, NEWEST, "y = ArgMax<axis=1>(x)", {}),
]
CASES = [
    pytest.param(body, data, opset, id=f"{name}-{opset}")
    for name, first, last, body, data in FORMS
    for opset in sorted({first, (first + last) // 2, last})
]


def _check(model, tmp_path):
    x = weights(*X, seed=3)
    graph = read_onnx(save(model, tmp_path))
    canonicalize(graph)
    got = run(graph, {"x": x})
    np.testing.assert_allclose(
        got[graph.outputs[0].name], expected(model, x)[0], rtol=2e-5, atol=2e-6
    )
    return graph


@pytest.mark.parametrize(("body", "data", "opset"), CASES)
def test_each_form_equals_onnxruntime(body, data, opset, tmp_path):
    _check(build(body, data, opset), tmp_path)


@pytest.mark.parametrize("opset", range(9, NEWEST + 1))
def test_a_classifier_of_every_opset(opset, tmp_path):
    graph = _check(build(ALL, DATA, opset), tmp_path)
    assert [n.op for n in graph] == [
        *["Input", "Conv", "MaxPool", "AvgPool", "PRelu", "LeakyRelu"],
        *["Add", "Concat", "AvgPool", "Reshape", "MatMul"],
    ]


def test_forms_of_one_operator_give_the_same_ops(tmp_path):
    seen: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, first, _, body, data in FORMS:
        graph = read_onnx(save(build(body, data, first), tmp_path))
        canonicalize(graph)
        ops = [(n.op, n.output.shape) for n in graph]
        assert seen.setdefault(name, ops) == ops, name


def test_old_softmax_over_several_axes_says_so(tmp_path):
    from tpuc.errors import UnsupportedError

    model = build("y = Softmax<axis=1>(x)", opset=11)
    with pytest.raises(UnsupportedError, match=r"opset 11 softmax over axes 1..3.*opset 13"):
        read_onnx(save(model, tmp_path))
