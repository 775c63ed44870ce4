"""The MLIR text of a graph, written and read back."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden import networks
from tpuc.ir import TOP_OPS, DType, Graph, QuantType, Value, with_defaults
from tpuc.ir.spec import REQUIRED
from tpuc.ir.text import print_mlir, save_weights
from tpuc.ir.text_parse import load_mlir, parse_mlir

EXPECTED = """\
#loc = loc(unknown)
module @tiny attributes {module.chip = "ALL", module.platform = "ONNX", module.state = "TOP_F32", \
module.top_run_mode = "STATIC", module.weight_file = "tiny.npz"} {
  func.func @main(%arg0: tensor<1x4xf32> loc(unknown)) -> (tensor<1x4xf32>, tensor<1x2xf32>) {
    %0 = "top.None"() : () -> none loc(#loc)
    %1 = "top.Input"(%arg0) {do_preprocess = false} : (tensor<1x4xf32>) -> \
tensor<1x4xf32> loc(#loc1)
    %2 = "top.Weight"() : () -> tensor<4x4xf32> loc(#loc2)
    %3 = "top.MatMul"(%1, %2, %0) {do_relu = true, dq_type = "NONE", hdim_is_batch = false, \
is_lora = false, keep_dims = true, left_transpose = false, output_transpose = false, \
q_group_size = 0 : i64, relu_limit = 6.000000e+00 : f64, right_transpose = false} : \
(tensor<1x4xf32>, tensor<4x4xf32>, none) -> tensor<1x4xf32> loc(#loc3)
    %4:2 = "top.Split"(%3) {axis = 1 : si32, num = 2 : i64, split_size = [2, 2]} : \
(tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) loc(#loc6)
    return %3, %4#1 : tensor<1x4xf32>, tensor<1x2xf32> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc1 = loc("x")
#loc2 = loc("w")
#loc3 = loc("fc")
#loc4 = loc("a")
#loc5 = loc("b")
#loc6 = loc(fused[#loc4, #loc5])
"""


def _tiny() -> Graph:
    graph = Graph("tiny", "top", {"platform": "ONNX"})
    x, fc = Value("x", (1, 4)), Value("fc", (1, 4))
    graph.add("Input", [], [x], {"do_preprocess": False})
    w = Value("w", (4, 4), data=np.arange(16, dtype=np.float32).reshape(4, 4))
    attrs = with_defaults("MatMul", {"do_relu": True, "relu_limit": 6.0})
    graph.add("MatMul", [x, w, None], [fc], attrs)
    parts = [Value("a", (1, 2)), Value("b", (1, 2))]
    attrs = with_defaults("Split", {"axis": 1, "num": 2, "split_size": (2, 2)})
    graph.add("Split", [fc], parts, attrs)
    graph.outputs = [fc, parts[1]]
    return graph


def _same(a: Graph, b: Graph) -> None:
    assert (a.name, a.attrs) == (b.name, b.attrs)
    assert [(n.op, n.name, n.attrs) for n in a.nodes] == [(n.op, n.name, n.attrs) for n in b.nodes]
    assert [v.name for v in a.outputs] == [v.name for v in b.outputs]
    for m, n in zip(a.nodes, b.nodes):
        assert [o.shape for o in m.outputs] == [o.shape for o in n.outputs]
        given_inputs = [v for v in m.inputs if v is not None]
        read_inputs = [v for v in n.inputs if v is not None]
        assert [v.name for v in given_inputs] == [v.name for v in read_inputs]
        for v, w in zip(given_inputs, read_inputs):
            assert (v.data is None) == (w.data is None)
            assert v.data is None or np.array_equal(v.data, w.data)


def test_the_text_is_tpu_mlirs():
    assert print_mlir(_tiny(), "tiny.npz") == EXPECTED


def test_top_k_is_written_without_an_operand_for_its_count():
    graph = Graph("best", "top", {"platform": "ONNX"})
    x = Value("x", (1, 8))
    graph.add("Input", [], [x], with_defaults("Input", {}))
    results = [Value("best", (1, 3)), Value("place", (1, 3))]
    graph.add("TopK", [x], results, with_defaults("TopK", {"K": 3, "axis": 1}))
    graph.outputs = results
    text = print_mlir(graph, "w.npz")
    assert re.search(r'"top\.TopK"\(%\d+\) .* : \(tensor<1x8xf32>\) -> ', text)
    assert "none" not in text
    assert [len(n.inputs) for n in parse_mlir(text, {}) if n.op == "TopK"] == [1]


def test_files_come_back_whole(tmp_path):
    graph = _tiny()
    save_weights(graph, tmp_path / "tiny.npz")
    (tmp_path / "tiny.mlir").write_text(print_mlir(graph, "tiny.npz"))
    _same(graph, load_mlir(tmp_path / "tiny.mlir"))


def test_equal_weights_give_equal_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        save_weights(_tiny(), tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


class _AnyWeight(dict):
    """Zeros for every name that a text mentions."""

    def __init__(self, text: str) -> None:
        locs = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
        pattern = r'"top.Weight"\(\) : \(\) -> tensor<(.*?)x?f32> loc\((#loc\d+)\)'
        for dims, loc in re.findall(pattern, text):
            shape = tuple(map(int, dims.split("x"))) if dims else ()
            self[locs[loc]] = np.zeros(shape, np.float32)


def _by_names(text: str) -> list[str]:
    """Op lines with names instead of numbers, sorted: TPU-MLIR puts some weights elsewhere."""
    names = dict(re.findall(r"^(#loc\d+) = loc\((.*)\)$", text, re.M))
    found = re.findall(r'^ *%\S+ = ("top.*) loc\((#loc\d*)\)$', text, re.M)
    return sorted(re.sub(r"%\d+(#\d+)?", "%", op) + names.get(loc, "") for op, loc in found)


@pytest.mark.parametrize("name", networks.NAMES)
def test_tpu_mlirs_own_files_come_back_line_by_line(name):
    text = networks.mlir_text(name)
    mine = print_mlir(parse_mlir(text, _AnyWeight(text)), "w.npz")
    assert _by_names(mine) == _by_names(text)
    assert [n for n in mine.splitlines() if "func.func" in n] == [
        n for n in text.splitlines() if "func.func" in n
    ]


def test_weights_of_one_name_and_other_numbers_are_told_apart(tmp_path):
    graph = Graph("twice")
    x, a, b, c = (Value(n, (1, 2)) for n in "xabc")
    graph.add("Input", [], [x], {})
    for source, out, number in ((x, a, 1.0), (a, b, 2.0), (b, c, 1.0)):
        w = Value("w", (1, 2), data=np.full((1, 2), number, np.float32))
        graph.add("Add", [source, w], [out], with_defaults("Add", {}))
    graph.outputs = [c]
    save_weights(graph, tmp_path / "w.npz")
    with zipfile.ZipFile(tmp_path / "w.npz") as archive:
        assert archive.namelist() == ["w.npy", "w_1.npy"]
    (tmp_path / "g.mlir").write_text(print_mlir(graph, "w.npz"))
    back = load_mlir(tmp_path / "g.mlir")
    assert [n.weight(1)[0, 0] for n in back.nodes[1:]] == [1.0, 2.0, 1.0]


NAMES = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1)


@given(NAMES, NAMES)
def test_any_name_comes_back(module, name):
    graph = Graph(module)
    x, y = Value(name, (2,)), Value(name + "_", (2,))
    graph.add("Input", [], [x], {})
    graph.add("Abs", [x], [y], {})
    graph.outputs = [y]
    back = parse_mlir(print_mlir(graph, "w.npz"), {})
    assert (back.name, [n.name for n in back.nodes]) == (module, [name, name + "_"])


_KINDS = {
    "bool": st.booleans(),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "i32": st.integers(-(2**31), 2**31 - 1),
    "si32": st.integers(-(2**31), 2**31 - 1),
    "f64": st.floats(allow_nan=False),
    "str": st.sampled_from(["", "nearest", "HalfAwayFromZero"]),
}


@st.composite
def _one_op(draw):
    fixed = [s for s in TOP_OPS.values() if s.results == 1 and s.name != "Input"]
    spec = draw(st.sampled_from(sorted(fixed, key=lambda s: s.name)))
    attrs = {}
    for key, row in spec.attrs.items():
        if row.default is not REQUIRED and draw(st.booleans()):
            continue
        kind = _KINDS[row.kind.removesuffix("[]")]
        many = row.kind.endswith("[]")
        attrs[key] = tuple(draw(st.lists(kind, max_size=4))) if many else draw(kind)
    shape = tuple(draw(st.lists(st.integers(1, 9), max_size=5)))
    inputs = [None if o.endswith("?") else Value(f"i{k}", (2, 3)) for k, o in
              enumerate(spec.operands)]  # fmt: skip
    return spec.name, attrs, shape, inputs


@given(_one_op())
@settings(max_examples=200)
def test_any_op_comes_back(parts):
    op, attrs, shape, inputs = parts
    graph = Graph("any", "top", {"platform": "ONNX"})
    for value in inputs:
        if value is not None:
            graph.add("Input", [], [value], {})
    out = Value("out", shape)
    graph.add(op, inputs, [out], attrs)
    graph.outputs = [out]
    _same(graph, parse_mlir(print_mlir(graph, "w.npz"), {}))


def test_a_lowered_graph_prints_its_types():
    graph = Graph("low", "tpu", {"mode": "INT8", "processor": "bm1684x"})
    x = Value("x", (1, 4))
    q = Value("q", (1, 4), DType.SI8, QuantType(0.0078125))
    u = Value("u", (1, 4), DType.UI8, QuantType(0.5, 3))
    graph.add("Input", [], [x], {})
    graph.add("Cast", [x], [q], {})
    graph.add("Cast", [q], [u], {})
    graph.outputs = [u]
    text = print_mlir(graph, "w.npz")
    assert 'module.mode = "INT8", module.processor = "bm1684x"' in text
    cast = next(line for line in text.splitlines() if "tpu.Cast" in line)
    assert "(tensor<1x4xf32>) -> tensor<1x4x!quant.uniform<i8:f32, 0.0078125>>" in cast
    assert "tensor<1x4x!quant.uniform<u8:f32, 0.5:3>>" in text
