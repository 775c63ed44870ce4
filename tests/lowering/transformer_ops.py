"""Ops of transformers and detectors, each as a small ONNX network of input `x`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.frontend.onnx_models import constants, weights

__all__ = ["CASES"]

_S = (1, 6, 16)  # tokens of a sentence
_P = (1, 8, 8, 8)  # a picture
_LN = {"g": weights(16), "b": weights(16, seed=1)}
_W = {"w": weights(16, 16), "v": weights(16, 16, seed=1), "u": weights(16, 16, seed=2)}
_HEADS = constants(h=[1, 6, 2, 8], j=[1, 6, 16])
_QKV = (
    " q = MatMul(x, w) k = MatMul(x, v) c = MatMul(x, u) qh = Reshape(q, h) kh = Reshape(k, h)"
    " ch = Reshape(c, h) qt = Transpose<perm=[0,2,1,3]>(qh) kt = Transpose<perm=[0,2,3,1]>(kh)"
    " ct = Transpose<perm=[0,2,1,3]>(ch) p = MatMul(qt, kt)"
)
_JOIN = " a = MatMul(t, ct) at = Transpose<perm=[0,2,1,3]>(a) z = Reshape(at, j) y = MatMul(z, w)"
_MASK = np.where(np.tri(6, dtype=bool), 0, -10000).astype(np.float32)[None, None]
_GRID = np.random.default_rng(0).uniform(-1, 1, (1, 5, 5, 2)).astype(np.float32)
_ROOT = " a = Abs(x) d = Add(a, one)"
_ONE = constants(one=1.0)
_SCATTER = {
    "i": np.array([[0, 1], [0, 4]], np.int64),
    "n": weights(2, 16),
}

CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "layer norm": ("y = LayerNormalization<axis=-1>(x, g, b)", _LN, _S),
    "layer norm of parts": (
        "m = ReduceMean<axes=[-1]>(x) d = Sub(x, m) s = Pow(d, two) v = ReduceMean<axes=[-1]>(s)"
        " e = Add(v, eps) r = Sqrt(e) n = Div(d, r) f = Mul(n, g) y = Add(f, b)",
        {**_LN, **constants(two=2.0, eps=1e-5)},
        _S,
    ),
    "rms norm": (
        "s = Pow(x, two) m = ReduceMean<axes=[-1]>(s) e = Add(m, eps) r = Sqrt(e) i = Div(one, r)"
        " n = Mul(x, i) y = Mul(n, g)",
        {"g": weights(16), **constants(two=2.0, eps=1e-6, one=1.0)},
        _S,
    ),
    "gelu by erf": (
        "d = Div(x, s) e = Erf(d) a = Add(e, one) m = Mul(x, a) y = Mul(m, half)",
        constants(s=2**0.5, one=1.0, half=0.5),
        _S,
    ),
    "gelu by tanh": (
        "p = Pow(x, three) c = Mul(p, k) a = Add(x, c) m = Mul(a, s) t = Tanh(m) o = Add(t, one)"
        " q = Mul(x, o) y = Mul(q, half)",
        constants(three=3.0, k=0.044715, s=(2 / np.pi) ** 0.5, one=1.0, half=0.5),
        _S,
    ),
    "quick gelu": ("m = Mul(x, k) s = Sigmoid(m) y = Mul(x, s)", constants(k=1.702), _S),
    "silu": ("s = Sigmoid(x) y = Mul(x, s)", {}, _P),
    "product of activations": (
        "t = Transpose<perm=[0,2,1]>(x) y = MatMul(x, t)",
        {},
        _S,
    ),
    "softmax": ("y = Softmax<axis=-1>(x)", {}, _S),
    "softmax of channels": ("y = Softmax<axis=1>(x)", {}, _P),
    "attention": (_QKV + " s = Mul(p, k8) t = Softmax(s)" + _JOIN,
                  {**_W, **_HEADS, **constants(k8=8**-0.5)}, _S),
    "attention with a mask": (
        _QKV + " s = Mul(p, k8) n = Add(s, mask) t = Softmax(n)" + _JOIN,
        {**_W, **_HEADS, **constants(k8=8**-0.5), "mask": _MASK},
        _S,
    ),
    "attention, q scaled first": (
        _QKV.replace("MatMul(qt, kt)", "MatMul(qs, kt)").replace("kt =", "qs = Mul(qt, k8) kt =")
        + " t = Softmax(p)" + _JOIN,
        {**_W, **_HEADS, **constants(k8=8**-0.5)},
        _S,
    ),
    "gather": ("y = Gather<axis=1>(x, i)", constants(i=[0, 3, -1]), _S),
    "einsum of products": ('y = Einsum<equation="bic,bjc->bij">(x, x)', {}, _S),
    "einsum with a weight": ('y = Einsum<equation="bic,co->bio">(x, w)', _W, _S),
    "einsum of heads": (
        'r = Reshape(x, h) y = Einsum<equation="bihd,bjhd->bhij">(r, r)', _HEADS, _S,
    ),
    "einsum by channel": ('y = Einsum<equation="bic,c->bic">(x, g)', _LN, _S),
    "where": ("c = Greater(x, z) n = Neg(x) y = Where(c, x, n)", constants(z=0.1), _P),
    "where with a number": ("c = Less(x, z) y = Where(c, n, x)", constants(z=0.0, n=0.5), _P),
    "equal": ("c = Equal(x, x) f = Cast<to=1>(c) y = Mul(f, x)", {}, _P),
    "less": ("c = Less(x, z) f = Cast<to=1>(c) y = Mul(f, x)", constants(z=0.3), _P),
    "greater of two": (
        "t = Transpose<perm=[0,1,3,2]>(x) c = Greater(x, t) f = Cast<to=1>(c) y = Mul(f, x)",
        {},
        _P,
    ),
    "cast": ("k = Mul(x, eight) i = Cast<to=7>(k) f = Cast<to=1>(i) y = Mul(f, x)",
             constants(eight=8.0), _P),
    "range": ("r = Range(a, n, s) f = Cast<to=1>(r) y = Add(x, f)",
              constants(a=0, n=16, s=1), _S),
    "expand": ("m = ReduceMean<axes=[1]>(x) s = Shape(x) e = Expand(m, s) y = Add(e, x)", {}, _S),
    "constant of shape": (
        "s = Shape(x) z = ConstantOfShape<value=float[1] {0.5}>(s) y = Mul(x, z)", {}, _S,
    ),
    "scatter": ("y = ScatterND(x, i, n)", _SCATTER, _S),
    "top k": ("v, i = TopK<axis=-1>(x, k) f = Cast<to=1>(i) y = Mul(v, k2)",
              constants(k=[4], k2=2.0), _S),
    "erf": ("y = Erf(x)", {}, _P),
    "pow": (_ROOT + " y = Pow(d, n)", {**_ONE, **constants(n=1.5)}, _P),
    "square": ("y = Pow(x, n)", constants(n=2.0), _P),
    "sqrt": (_ROOT + " y = Sqrt(d)", _ONE, _P),
    "exp": ("y = Exp(x)", {}, _P),
    "log": (_ROOT + " y = Log(d)", _ONE, _P),
    "sin": ("y = Sin(x)", {}, _P),
    "cos": ("y = Cos(x)", {}, _P),
    "running sum": ("y = CumSum(x, a)", constants(a=1), _S),
    "length": ("r = ReduceL2<axes=[-1], keepdims=1>(x) y = Div(x, r)", {}, _S),
    "instance norm": ("y = InstanceNormalization(x, g, b)",
                      {"g": weights(8), "b": weights(8, seed=1)}, _P),
    "group norm": (
        "r = Reshape(x, a) n = InstanceNormalization(r, o, z) q = Reshape(n, c) m = Mul(q, g)"
        " y = Add(m, b)",
        {**constants(a=[1, 2, -1], c=[1, 8, 8, 8], o=[1.0, 1.0], z=[0.0, 0.0]),
         "g": weights(8, 1, 1), "b": weights(8, 1, 1, seed=1)},
        _P,
    ),
    "windows": (
        "a = Transpose<perm=[0,2,3,1]>(x) r = Reshape(a, w) t = Transpose<perm=[0,1,3,2,4,5]>(r)"
        " y = Reshape(t, o)",
        constants(w=[1, 2, 4, 2, 4, 8], o=[4, 16, 8]),
        _P,
    ),
    "roll": (
        "a = Slice(x, s, e, d) b = Slice(x, z, s, d) y = Concat<axis=2>(a, b)",
        constants(s=[3], e=[100], d=[2], z=[0]),
        _P,
    ),
    "depth to space": ("y = DepthToSpace<blocksize=2>(x)", {}, _P),
    "depth to space, columns first": ('y = DepthToSpace<blocksize=2, mode="CRD">(x)', {}, _P),
    "space to depth": ("y = SpaceToDepth<blocksize=2>(x)", {}, _P),
    "grid sample": ("y = GridSample<align_corners=1>(x, g)", {"g": _GRID}, _P),
    "einsum, summed and turned": ('y = Einsum<equation="bchw->wb">(x)', {}, _P),
    "einsum of all pairs": ('y = Einsum<equation="bic,o->oic">(x, g)', {"g": weights(3)}, _S),
    "einsum, weight first": ('y = Einsum<equation="co,bic->boi">(w, x)', _W, _S),
}  # fmt: skip
