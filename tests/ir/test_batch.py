"""A widened graph gives each sample what it gets alone, or says which op can not be widened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontend.onnx_models import X, build, constants, save, weights
from tests.frontend.test_onnx_ops import CASES
from tests.golden import networks
from tpuc.errors import Skip
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph, verify
from tpuc.ir.batch import with_batch
from tpuc.passes import canonicalize

COUNT = 3
SAMPLES = np.concatenate([weights(*X, seed=10 + i) for i in range(COUNT)])
# Ops that really mix the samples, or hide them behind another first axis
MIXING = {
    "movement: transpose all",
    "movement: flatten 2",
    "movement: flatten 0",
    "movement: flatten -1",
    "pooling: reduce all",
    "pooling: reduce all keep",
    "arithmetic: broadcast up",
}
_ROWS = np.arange(256.0).reshape(4, 64)


def _graph(model, tmp_path, canonical=True) -> Graph:
    graph = read_onnx(save(model, tmp_path))
    if canonical:
        canonicalize(graph)
    return graph


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize("case", [c for c in CASES if "ceil" not in c])
def test_a_batch_is_its_samples_one_by_one(case, canonical, tmp_path):
    graph = _graph(build(*CASES[case]), tmp_path, canonical)
    wide = with_batch(graph, COUNT)
    if isinstance(wide, Skip):
        assert case in MIXING or "concat weight" in case, wide.reason
        assert wide.nodes
        return
    verify(wide, "top")
    name = graph.outputs[0].name
    got = run(wide, {"x": SAMPLES})[name]
    one_by_one = [run(graph, {"x": SAMPLES[i : i + 1]})[name] for i in range(COUNT)]
    np.testing.assert_allclose(got, np.concatenate(one_by_one), rtol=1e-5, atol=1e-6)


def test_constants_with_a_row_for_each_row_of_a_sample_are_repeated(tmp_path):
    data = constants(s=[-1, 64], w=_ROWS)
    graph = _graph(build("r = Reshape(x, s) y = Add(r, w)", data), tmp_path)
    wide = with_batch(graph, COUNT)
    assert isinstance(wide, Graph)
    name = graph.outputs[0].name
    got = run(wide, {"x": SAMPLES})[name]
    one_by_one = [run(graph, {"x": SAMPLES[i : i + 1]})[name] for i in range(COUNT)]
    np.testing.assert_array_equal(got, np.concatenate(one_by_one))


@pytest.mark.parametrize("name", networks.NAMES)
def test_every_golden_network_can_be_widened(name, golden):
    graph = golden(name)
    wide = with_batch(graph, 4)
    assert isinstance(wide, Graph)
    assert [v.shape for v in wide.values()] == [
        (4 * v.shape[0], *v.shape[1:]) for v in graph.values()
    ]


@pytest.mark.parametrize(
    ("body", "data", "op", "reason"),
    [
        ("y = Transpose<perm=[1,0,2,3]>(x)", {}, "y_Transpose", "moves the batch"),
        ("y = Softmax<axis=0>(x)", {}, "y_Softmax", "along the batch"),
        ("y = Concat<axis=0>(x, x)", {}, "y_Concat", "along the batch"),
        ("y = Gather<axis=0>(x, i)", constants(i=[0]), "y_Gather", "along the batch"),
        ("y = ReduceMean<axes=[-4]>(x)", {}, "y_ReduceMean", "reduces the batch"),
        ("y = ReduceSum<keepdims=0>(x)", {}, "y_ReduceSum", "reduces the batch"),
        ("y = ArgMax<axis=-4>(x)", {}, "y_ArgMax", "along the batch"),
        ("y = Unsqueeze(x, a)", constants(a=[0]), "y_Unsqueeze", "first axis"),
        ("y = Squeeze(x, a)", constants(a=[0]), "y_Squeeze", "first axis"),
        ("y = Squeeze(x, a)", constants(a=[-4]), "y_Squeeze", ""),
        ("y = Slice(x, n, f, z, n)", constants(n=[-1], f=[-9], z=[0]), "y_Slice", "reverses"),
        ("y = Tile(x, r)", constants(r=[2, 1, 1, 1]), "y_Tile", "repeats the batch"),
        ("y = Pad(x, p)", constants(p=[1, 0, 0, 0, 0, 0, 0, 0]), "y_Pad", ""),
        ("r = Reshape(x, s) y = Transpose(r)", constants(s=[4, 64]), "y_Transpose", "moves"),
    ],
)
def test_mixing_ops_are_named(body, data, op, reason, tmp_path):
    graph = _graph(build(body, data), tmp_path, canonical=False)
    wide = with_batch(graph, 2)
    assert isinstance(wide, Skip), body
    assert wide.nodes == (op,)
    assert reason in wide.reason


@pytest.mark.parametrize("shape", [(1, 8), (0, -1), (-1, 32), (1, -1, 8)])
def test_reshapes_that_keep_the_batch_are_widened(shape, tmp_path):
    body = "c = Conv(x, w) p = GlobalMaxPool(c) f = Flatten(p) t = Tile(f, r) y = Reshape(t, s)"
    data = {"w": weights(8, 4, 3, 3), **constants(r=[1, 4], s=list(shape))}
    if shape == (1, 8):
        data.update(constants(r=[1, 1]))
    graph = _graph(build(body, data), tmp_path, canonical=False)
    wide = with_batch(graph, 2)
    assert isinstance(wide, Graph)
    first = graph.outputs[0].shape
    assert wide.outputs[0].shape == (2, *first[1:])


@pytest.mark.parametrize("rows", [4, -1])
def test_rows_of_one_sample_stay_together(rows, tmp_path):
    body = "r = Reshape(x, s) t = Softmax<axis=1>(r) m = MatMul(t, w) y = Reshape(m, b)"
    data = {**constants(s=[rows, 64], b=[1, 4, 5]), "w": weights(64, 5)}
    graph = _graph(build(body, data), tmp_path, canonical=False)
    wide = with_batch(graph, COUNT)
    assert isinstance(wide, Graph)
    one_by_one = [run(graph, {"x": SAMPLES[i : i + 1]})["y_Reshape"] for i in range(COUNT)]
    got = run(wide, {"x": SAMPLES})["y_Reshape"]
    np.testing.assert_allclose(got, np.concatenate(one_by_one), rtol=1e-6)


def test_the_graph_itself_stays_as_it_was(tmp_path):
    graph = _graph(build("f = Flatten(x) y = Reshape(f, s)", constants(s=[1, 16, 16])), tmp_path)
    before = [(n.name, n.output.shape, dict(n.attrs)) for n in graph]
    with_batch(graph, 5)
    assert [(n.name, n.output.shape, dict(n.attrs)) for n in graph] == before
    assert with_batch(graph, 1) is graph


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 3), factor=st.integers(2, 4), part=st.integers(1, 8))
def test_batches_above_one_are_widened_too(batch, factor, part, tmp_path_factory):
    body = "s = Slice(x, b, e, a) f = Flatten(s) y = Reshape(f, r)"
    data = constants(b=[0, 0], e=[batch, part], a=[0, 3], r=[batch, 4, 8, part])
    model = build(body, data, shape=(batch, 4, 8, 8))
    graph = _graph(model, tmp_path_factory.mktemp("wide"), canonical=False)
    wide = with_batch(graph, factor)
    assert isinstance(wide, Graph)
    x = weights(batch * factor, 4, 8, 8)
    np.testing.assert_array_equal(run(wide, {"x": x})["y_Reshape"], x[..., :part])
