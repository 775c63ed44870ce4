"""Every operator family, imported and run in float, equals onnxruntime before and after passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.frontend.onnx_models import X, build, constants, expected, save, weights
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir.shapes import infer_shapes
from tpuc.passes import canonicalize

_NORM = {
    **constants(g=[0.5, 1.5, 2.0, 1.0], b=[0.1, -0.2, 0.3, 0.0], m=[0.5, 0.2, -0.1, 0.4]),
    **constants(v=[0.5, 1.0, 2.0, 0.7]),
}
_EXP = "e = Exp(x)"

CONVOLUTION: dict[str, tuple[str, dict[str, Any]]] = {
    "conv": ("y = Conv<pads=[1,1,1,1]>(x, w, b)", {"w": weights(6, 4, 3, 3), "b": weights(6)}),
    "conv no bias": ("y = Conv(x, w)", {"w": weights(6, 4, 3, 3)}),
    "grouped": ("y = Conv<group=2>(x, w)", {"w": weights(6, 2, 1, 1)}),
    "depthwise": ("y = Conv<group=4, pads=[1,1,1,1]>(x, w)", {"w": weights(4, 1, 3, 3)}),
    "multiplied": ("y = Conv<group=4>(x, w)", {"w": weights(8, 1, 3, 3)}),
    "dilated": ("y = Conv<dilations=[2,3]>(x, w)", {"w": weights(2, 4, 3, 2)}),
    "asymmetric": (
        "y = Conv<pads=[0,1,2,3], strides=[2,1]>(x, w)",
        {"w": weights(2, 4, 3, 3)},
    ),
    "same upper": (
        'y = Conv<auto_pad="SAME_UPPER", strides=[2,3]>(x, w)',
        {"w": weights(2, 4, 4, 3)},
    ),
    "same lower": ('y = Conv<auto_pad="SAME_LOWER">(x, w)', {"w": weights(2, 4, 2, 4)}),
    "valid": ('y = Conv<auto_pad="VALID">(x, w)', {"w": weights(2, 4, 3, 3)}),
    "1d": (
        "r = Reshape(x, s) y = Conv<pads=[0,2], strides=[2]>(r, w, b)",
        {"w": weights(5, 4, 3), "b": weights(5), **constants(s=[1, 4, 64])},
    ),
    "transpose": (
        "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>(x, w, b)",
        {"w": weights(4, 5, 3, 3), "b": weights(5)},
    ),
    "transpose grouped": (
        "y = ConvTranspose<group=2, pads=[0,1,1,0]>(x, w)",
        {"w": weights(4, 3, 3, 2)},
    ),
    "transpose dilated": ("y = ConvTranspose<dilations=[2,2]>(x, w)", {"w": weights(4, 2, 3, 3)}),
    "batch norm": ("y = BatchNormalization(x, g, b, m, v)", _NORM),
    "conv batch norm relu": (
        "c = Conv(x, w) n = BatchNormalization<epsilon=0.01>(c, g, b, m, v) y = Relu(n)",
        {"w": weights(4, 4, 3, 3), **_NORM},
    ),
    "relu batch norm": ("r = Relu(x) y = BatchNormalization(r, g, b, m, v)", _NORM),
    "pad conv": (
        "p = Pad(x, q) y = Conv(p, w)",
        {"w": weights(2, 4, 3, 3), **constants(q=[0, 0, 1, 2, 0, 0, 2, 1])},
    ),
}
ACTIVATION: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        op: (f"y = {op}(x)", {})
        for op in [
            *["Relu", "Sigmoid", "Tanh", "Softplus", "HardSwish", "Erf", "Abs", "Exp", "Neg"],
            *["Floor", "Ceil", "Round", "Softsign", "Sin", "Cos", "Identity", "HardSigmoid", "Elu"],
        ]
    },
    "leaky": ("y = LeakyRelu<alpha=0.2>(x)", {}),
    "leaky default": ("y = LeakyRelu(x)", {}),
    "elu alpha": ("y = Elu<alpha=0.7>(x)", {}),
    "hard sigmoid alpha": ("y = HardSigmoid<alpha=0.1666667, beta=0.4>(x)", {}),
    "log": (f"{_EXP} y = Log(e)", {}),
    "sqrt": (f"{_EXP} y = Sqrt(e)", {}),
    "reciprocal": (f"{_EXP} y = Reciprocal(e)", {}),
    "relu6": ("y = Clip(x, l, h)", constants(l=0.0, h=1.2)),
    "clip": ("y = Clip(x, l, h)", constants(l=-1.0, h=0.5)),
    "clip below": ("y = Clip(x, l)", constants(l=0.0)),
    "clip above": ('y = Clip(x, "", h)', constants(h=0.5)),
    "prelu": ("y = PRelu(x, s)", {"s": weights(4, 1, 1)}),
    "prelu one": ("y = PRelu(x, s)", {"s": weights(1)}),
    "silu": ("s = Sigmoid(x) y = Mul(x, s)", {}),
    "mish": ("s = Softplus(x) t = Tanh(s) y = Mul(x, t)", {}),
    "hard sigmoid parts": (
        "a = Add(x, t) c = Clip(a, z, s) y = Div(c, s)",
        constants(t=3.0, z=0.0, s=6.0),
    ),
    "hard swish parts": (
        "a = Add(x, t) c = Clip(a, z, s) m = Mul(x, c) y = Div(m, s)",
        constants(t=3.0, z=0.0, s=6.0),
    ),
    "gelu": (
        "d = Div(x, r) e = Erf(d) a = Add(e, o) m = Mul(x, a) y = Mul(m, h)",
        constants(r=2**0.5, o=1.0, h=0.5),
    ),
    "gelu half first": (
        "d = Div(x, r) e = Erf(d) a = Add(e, o) m = Mul(x, h) y = Mul(m, a)",
        constants(r=2**0.5, o=1.0, h=0.5),
    ),
    "softmax": ("y = Softmax<axis=1>(x)", {}),
    "softmax last": ("y = Softmax(x)", {}),
    "log softmax": ("y = LogSoftmax<axis=-3>(x)", {}),
    "dropout": ("d = Dropout(x) y = Relu(d)", {}),
    "cast": ("d = Cast<to=1>(x) y = Relu(d)", {}),
}
_ROW, _CHANNEL = weights(8), np.abs(weights(1, 4, 1, 1)) + 1
ARITHMETIC: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"{op} {kind}": (f"y = {op}(x, c)", {"c": data})
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")
        for kind, data in [
            ("scalar", np.float32(1.5)),
            ("one", np.full((1, 1, 1, 1), 1.5, np.float32)),
            ("channel", _CHANNEL),
            ("channel 3d", _CHANNEL[0]),
            ("row", np.abs(_ROW) + 1),
            ("tensor", np.abs(weights(*X)) + 1),
        ]
    },
    **{
        f"{op} reversed {kind}": (f"{_EXP} y = {op}(c, e)", {"c": data})
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")
        for kind, data in [("scalar", np.float32(1.5)), ("channel", _CHANNEL)]
    },
    **{f"{op} two": (f"{_EXP} y = {op}(x, e)", {}) for op in ("Add", "Sub", "Mul", "Div")},
    "Max two": ("t = Tanh(x) y = Max(x, t)", {}),
    "Min three": ("t = Tanh(x) s = Sin(x) y = Min(x, t, s)", {}),
    "Sum three": ("t = Tanh(x) s = Sin(x) y = Sum(x, t, s)", {}),
    "Sum one": ("s = Sum(x) y = Relu(s)", {}),
    "same twice": ("y = Add(x, x)", {}),
    "broadcast two": ("g = GlobalAveragePool(x) y = Mul(g, x)", {}),
    "broadcast up": ("g = GlobalAveragePool(x) y = Add(g, c)", {"c": weights(1, 4, 5, 3)}),
    "square": ("y = Pow(x, c)", constants(c=2.0)),
    "power": (f"{_EXP} y = Pow(e, c)", constants(c=0.7)),
    "root": (f"{_EXP} y = Pow(e, c)", constants(c=0.5)),
    "power one": ("p = Pow(x, c) y = Relu(p)", constants(c=1.0)),
    "chain": (
        "a = Add(x, c) b = Mul(a, d) f = Sub(b, c) y = Div(f, d)",
        constants(c=0.3, d=2.0),
    ),
}
POOLING: dict[str, tuple[str, dict[str, Any]]] = {
    "max": ("y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)", {}),
    "max ceil": ("y = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)", {}),
    "max ceil pad": (
        "y = MaxPool<kernel_shape=[2,2], strides=[3,3], pads=[1,1,1,1], ceil_mode=1>(x)",
        {},
    ),
    "max asymmetric": ("y = MaxPool<kernel_shape=[2,3], pads=[0,1,1,2]>(x)", {}),
    "max same": ('y = MaxPool<kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_UPPER">(x)', {}),
    "average": ("y = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x)", {}),
    "average pad": ("y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)", {}),
    "average counts pad": (
        "y = AveragePool<kernel_shape=[3,3], pads=[1,0,1,2], count_include_pad=1>(x)",
        {},
    ),
    "average ceil": ("y = AveragePool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)", {}),
    "average ceil pad": (
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=1>(x)",
        {},
    ),
    "average same": (
        'y = AveragePool<kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_LOWER">(x)',
        {},
    ),
    "global average": ("y = GlobalAveragePool(x)", {}),
    "global max": ("y = GlobalMaxPool(x)", {}),
    "max 1d": (
        "r = Reshape(x, s) y = MaxPool<kernel_shape=[3], strides=[2]>(r)",
        constants(s=[1, 4, 64]),
    ),
    "average 1d": (
        "r = Reshape(x, s) y = AveragePool<kernel_shape=[2]>(r)",
        constants(s=[1, 4, 64]),
    ),
    "global 1d": ("r = Reshape(x, s) y = GlobalAveragePool(r)", constants(s=[1, 4, 64])),
    **{
        f"{op} {name}": (f"y = {op}<axes={axes}, keepdims={keep}>(x)", {})
        for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1", "ReduceProd")
        for name, axes, keep in [
            ("picture", [2, 3], 1),
            ("picture flat", [-1, -2], 0),
            ("channel", [1], 1),
            ("last", [3], 0),
        ]
    },
    "reduce all": ("y = ReduceMean<keepdims=0>(x)", {}),
    "reduce all keep": ("y = ReduceMax(x)", {}),
    "sum": ("y = ReduceSum(x, a)", constants(a=[1, 2])),
    "sum flat": ("y = ReduceSum<keepdims=0>(x, a)", constants(a=[-1])),
    "sum nothing": ("s = ReduceSum<noop_with_empty_axes=1>(x) y = Relu(s)", {}),
    "arg max": ("y = ArgMax<axis=1>(x)", {}),
    "arg max flat": ("y = ArgMax<axis=-1, keepdims=0>(x)", {}),
    "arg min": ("y = ArgMin<axis=2>(x)", {}),
}
_GAP = "g = GlobalAveragePool(x) f = Flatten(g)"
LINEAR: dict[str, tuple[str, dict[str, Any]]] = {
    "gemm": (f"{_GAP} y = Gemm(f, w, b)", {"w": weights(4, 5), "b": weights(5)}),
    "gemm transposed": (
        f"{_GAP} y = Gemm<transB=1>(f, w, b)",
        {"w": weights(5, 4), "b": weights(5)},
    ),
    "gemm scaled": (
        f"{_GAP} y = Gemm<transB=1, alpha=0.5, beta=2.0>(f, w, b)",
        {"w": weights(5, 4), "b": weights(5)},
    ),
    "gemm no bias": (f"{_GAP} y = Gemm(f, w)", {"w": weights(4, 5)}),
    "gemm scalar bias": (f"{_GAP} y = Gemm(f, w, b)", {"w": weights(4, 5), "b": np.float32(0.5)}),
    "matmul": (f"{_GAP} y = MatMul(f, w)", {"w": weights(4, 5)}),
    "matmul add": (
        f"{_GAP} m = MatMul(f, w) y = Add(m, b)",
        {"w": weights(4, 5), "b": weights(5)},
    ),
    "matmul 4d": ("y = MatMul(x, w)", {"w": weights(8, 5)}),
    "matmul two": ("t = Transpose<perm=[0,1,3,2]>(x) y = MatMul(x, t)", {}),
    "shared weight": (
        f"{_GAP} a = MatMul(f, w) b = MatMul(a, w) y = Add(a, b)",
        {"w": weights(4, 4)},
    ),
}
MOVEMENT: dict[str, tuple[str, dict[str, Any]]] = {
    "reshape": ("y = Reshape(x, s)", constants(s=[0, 2, -1])),
    "flatten": ("y = Flatten(x)", {}),
    "flatten 2": ("y = Flatten<axis=2>(x)", {}),
    "flatten 0": ("y = Flatten<axis=0>(x)", {}),
    "flatten -1": ("y = Flatten<axis=-1>(x)", {}),
    "transpose": ("y = Transpose<perm=[0,2,3,1]>(x)", {}),
    "transpose all": ("y = Transpose(x)", {}),
    "transpose twice": (
        "t = Transpose<perm=[0,2,3,1]>(x) u = Transpose<perm=[0,3,1,2]>(t) y = Relu(u)",
        {},
    ),
    "shuffle": (
        "a = Reshape(x, s) t = Transpose<perm=[0,2,1,3,4]>(a) y = Reshape(t, r)",
        constants(s=[1, 2, 2, 8, 8], r=[1, 4, 8, 8]),
    ),
    "squeeze": ("g = GlobalAveragePool(x) y = Squeeze(g, a)", constants(a=[2, -1])),
    "unsqueeze": (f"{_GAP} y = Unsqueeze(f, a)", constants(a=[-1, 2])),
    "concat": ("t = Tanh(x) y = Concat<axis=1>(x, t)", {}),
    "concat last": ("t = Tanh(x) y = Concat<axis=-1>(x, t, x)", {}),
    "concat weight": ("y = Concat<axis=1>(x, w)", {"w": weights(1, 2, 8, 8)}),
    "concat one": ("c = Concat<axis=1>(x) y = Relu(c)", {}),
    "slice": (
        "y = Slice(x, b, e, a, s)",
        constants(b=[1, 0], e=[7, 4], a=[2, 1], s=[3, 1]),
    ),
    "slice from the end": (
        "y = Slice(x, b, e, a)",
        constants(b=[-3, 0], e=[2**62, -1], a=[-1, 2]),
    ),
    "slice backwards": (
        "y = Slice(x, b, e, a, s)",
        constants(b=[-1], e=[-(2**62)], a=[3], s=[-1]),
    ),
    "pad": ("y = Pad(x, p, v)", constants(p=[0, 0, 1, 2, 0, 0, 3, 4], v=0.5)),
    "pad channels": ("y = Pad(x, p)", constants(p=[0, 1, 0, 0, 0, 2, 0, 0])),
    "pad reflect": ('y = Pad<mode="reflect">(x, p)', constants(p=[0, 0, 1, 2, 0, 0, 3, 2])),
    "pad edge": ('y = Pad<mode="edge">(x, p)', constants(p=[0, 0, 1, 2, 0, 0, 3, 2])),
    "pad nothing": ("p = Pad(x, z) y = Relu(p)", constants(z=[0] * 8)),
    "expand": ("g = GlobalAveragePool(x) y = Expand(g, s)", constants(s=[1, 4, 3, 5])),
    "tile": ("y = Tile(x, r)", constants(r=[1, 2, 1, 3])),
    "gather": ("y = Gather<axis=1>(x, i)", constants(i=[2, 0, -1])),
    "gather one": ("y = Gather<axis=-1>(x, i)", constants(i=3)),
    "depth to space": ("y = DepthToSpace<blocksize=2>(x)", {}),
    "depth to space crd": ('y = DepthToSpace<blocksize=2, mode="CRD">(x)', {}),
    "space to depth": ("y = SpaceToDepth<blocksize=2>(x)", {}),
}
_RESIZE = 'coordinate_transformation_mode="{}", mode="{}", nearest_mode="{}"'
RESIZE: dict[str, tuple[str, dict[str, Any]]] = {
    f"{mode} {coord} {data}": (
        f"y = Resize<{_RESIZE.format(coord, mode, near)}>(x, {given})",
        constants(c=numbers),
    )
    for mode, coord, near in [
        ("linear", "half_pixel", "round_prefer_floor"),
        ("linear", "pytorch_half_pixel", "round_prefer_floor"),
        ("linear", "align_corners", "round_prefer_floor"),
        ("linear", "asymmetric", "round_prefer_floor"),
        ("nearest", "asymmetric", "floor"),
        ("nearest", "half_pixel", "round_prefer_floor"),
    ]
    for data, given, numbers in [
        ("doubled", '"", c', [1.0, 1.0, 2.0, 2.0]),
        ("by factors", '"", c', [1.0, 1.0, 1.5, 0.5]),
        ("to a size", '"", "", c', [1, 4, 12, 20]),
    ]
}
CASES = {
    f"{family}: {name}": case
    for family, cases in {
        "convolution": CONVOLUTION,
        "activation": ACTIVATION,
        "arithmetic": ARITHMETIC,
        "pooling": POOLING,
        "linear": LINEAR,
        "movement": MOVEMENT,
        "resize": RESIZE,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", CASES)
def test_float_result_equals_onnxruntimes(case, tmp_path):
    model = build(*CASES[case])
    x = weights(*X, seed=1)
    wanted = expected(model, x)[0]
    graph = read_onnx(save(model, tmp_path))
    if "ceil" not in case:  # a pass turns ceil_mode into pads
        _compare(graph, x, wanted)
    canonicalize(graph)
    _compare(graph, x, wanted)
    for node in graph:
        if node.op != "Input":
            assert infer_shapes(node)[0] == node.output.shape


def _compare(graph, x, wanted):
    out = graph.outputs[0]
    got = run(graph, {"x": x})[out.name]
    assert got.shape == out.shape == (wanted.shape or (1,))
    np.testing.assert_allclose(got.reshape(wanted.shape), wanted, rtol=2e-5, atol=2e-6)


def test_split_gives_every_part_a_name(tmp_path):
    body = "a, b, c = Split<axis=1>(x, s)"
    model = build(body, constants(s=[1, 2, 1]), outputs="a b c")
    graph = read_onnx(save(model, tmp_path))
    x = weights(*X)
    got = run(graph, {"x": x})
    for name, wanted in zip("abc", expected(model, x)):
        np.testing.assert_array_equal(got[f"{name}_Split"], wanted)
