"""Files and requests that can not be imported are refused in one line that says what to do."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from tests.frontend.onnx_models import build, constants, save, weights
from tpuc.errors import ConfigError, InputError, ModelError, UnsupportedError
from tpuc.frontend import read_onnx


def _conv(**options):
    return build("c = Conv(x, w) y = Relu(c)", {"w": weights(2, 4, 3, 3)}, **options)


def _refused(path, kind, pattern, *args, **kwargs):
    with pytest.raises(kind, match=pattern) as caught:
        read_onnx(path, *args, **kwargs)
    assert isinstance(caught.value, InputError)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    _refused(tmp_path / "no.onnx", ModelError, r"no\.onnx: no such file")
    _refused(tmp_path, ModelError, "no such file")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"PK\x03\x04 not a model", b"\x89PNG\r\n\x1a\n" + bytes(64), bytes(range(256))],
)
def test_not_onnx(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    _refused(path, ModelError, "not an ONNX model, or damaged")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.99])
def test_truncated(share, tmp_path):
    whole = _conv().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(whole[: int(len(whole) * share)])
    _refused(path, ModelError, "not an ONNX model, or damaged|has no tensor|no producer")


@pytest.mark.parametrize("op", ["Shape", "Size"])
@pytest.mark.parametrize("missing", ["input", "output"])
def test_an_operator_without_its_tensors(op, missing, tmp_path):
    model = build(f"c = {op}(x) y = Reshape(x, c)", {})
    del getattr(model.graph.node[0], missing)[:]
    _refused(
        save(model, tmp_path), ModelError, "can not be evaluated|out of bounds|must be constant"
    )


def test_short_initializer(tmp_path):
    model = _conv()
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    _refused(save(model, tmp_path), ModelError, "initializer 'w' is damaged")


def test_missing_external_data(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(_conv(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    assert read_onnx(path).nodes
    (tmp_path / "w.bin").unlink()
    _refused(path, ModelError, r"model\.onnx: .*external data.*w\.bin")


def test_all_unsupported_operators_at_once(tmp_path):
    body = "a = Det(x) b = NonZero(x) c = Det(x) d = Relu(x) y = Sum(a, b, c, d)"
    path = save(build(body, opset=18), tmp_path)
    listed = r"Det \(x2; nothing .*\), NonZero \(x1; supported: Where\)"
    pattern = rf"\(opset 18\): unsupported operators: {listed}; .*'a'.*output_names"
    _refused(path, UnsupportedError, pattern)


def test_operator_of_another_domain(tmp_path):
    model = build("y = Relu(x)")
    model.graph.node[0].domain = "com.acme"
    model.opset_import.append(onnx.helper.make_opsetid("com.acme", 1))
    _refused(
        save(model, tmp_path), UnsupportedError, r"com\.acme\.Relu \(x1; nearest supported: Relu\)"
    )


def test_unsupported_operators_behind_the_outputs_do_not_matter(tmp_path):
    path = save(build("r = Relu(x) d = Det(r) y = Relu(d)"), tmp_path)
    graph = read_onnx(path, output_names=["r"])
    assert [n.name for n in graph] == ["x", "r_Relu"]


@pytest.mark.parametrize("dim", ["batch", -1, 0])
def test_open_dimension(dim, tmp_path):
    model = _conv(shape=("N", 4, 8, 8))
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    if isinstance(dim, int):
        first.dim_value = dim
    path = save(model, tmp_path)
    pattern = r"input 'x' leaves dimension 0 .* open.*model\.input_shapes=\[\[1, 4, 8, 8\]\]"
    _refused(path, ConfigError, pattern)
    assert read_onnx(path, [[3, 4, 8, 8]]).outputs[0].shape == (3, 2, 6, 6)
    assert read_onnx(path, {"x": (1, 4, 9, 8)}).outputs[0].shape == (1, 2, 7, 6)


@pytest.mark.parametrize(
    ("shapes", "pattern"),
    [
        ([[1, 4, 8]], r"\[1, 4, 8\] has 3 dimensions; input 'x' of .* has 4"),
        ([[1, 4, 8, 8], [1]], r"2 shapes for 1 inputs"),
        ({"X": [1, 4, 8, 8]}, r"no input 'X'; the nearest name is 'x'"),
        ([[1, 4, 0, 8]], r"has a size below 1"),
    ],
)
def test_shapes_that_do_not_fit(shapes, pattern, tmp_path):
    _refused(save(_conv(), tmp_path), ConfigError, pattern, shapes)


@pytest.mark.parametrize("shape", [[1, 5, 8, 8], [1, 4, 2, 8]])
def test_shapes_that_the_ops_refuse(shape, tmp_path):
    _refused(save(_conv(), tmp_path), ModelError, r"model\.onnx: ", [shape])


def test_unknown_output_name(tmp_path):
    path = save(build("relu_1 = Relu(x) y = Tanh(relu_1)"), tmp_path)
    _refused(path, ConfigError, "'relu1'; the nearest name is 'relu_1'", output_names=["relu1"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("constant", [False, True])
def test_weights_that_are_not_finite(bad, constant, tmp_path):
    filters = weights(2, 4, 3, 3)
    filters[1, 2, 0, 0] = bad
    if constant:
        model = build("y = Conv(x, w)")
        tensor = onnx.numpy_helper.from_array(filters)
        model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["w"], value=tensor))
    else:
        model = build("y = Conv(x, w)", {"w": filters})
    _refused(save(model, tmp_path), ModelError, "weight 'w': 1 of 72 values are NaN or infinite")


def test_an_infinite_bound_is_no_bound(tmp_path):
    graph = read_onnx(save(build("y = Clip(x, l, h)", constants(l=0.0, h=np.inf)), tmp_path))
    assert graph.outputs[0].producer.attrs["relu_limit"] == 0.0


def test_output_without_input(tmp_path):
    path = save(build("y = Relu(w)", {"w": weights(3)}), tmp_path)
    _refused(path, ModelError, "output 'y' does not depend on any input")


def test_two_nodes_of_one_name(tmp_path):
    path = save(build("y = Relu(x) y = Tanh(x)"), tmp_path)
    _refused(path, ModelError, "two nodes make the tensor 'y'")


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        ("y = MaxPool(x)", r"MaxPool 'y': an attribute or input is wrong .*kernel_shape"),
        ("y = Relu(z)", r"Relu 'y': input 'z' has no producer"),
        ("y = Conv(x)", r"Conv 'y': an attribute or input is wrong"),
        ("y = Reshape(x, s)", r"Reshape 'y': .*"),
        ("s = Sigmoid(x) y = Reshape(x, s)", r"Reshape 'y': input 1 's' must be constant"),
        ('y = Pad<mode="wrap">(x, p)', r"mode 'wrap'; expected constant, reflect or edge"),
        ("y = Slice(x, q, q)", r"Slice 'y': its result is empty, \(0, 4, 8, 8\)"),
        ("y = Div(x, z)", r"divides by the constant 0"),
        ("y = Add(x, w)", r"Add 'y': .*broadcast"),
        ('y = Resize<mode="cubic">(x, "", f)', r"mode 'cubic'; expected nearest or linear"),
    ],
)
def test_malformed_nodes(body, pattern, tmp_path):
    known = {**constants(p=[0] * 8, z=0.0, q=[0], f=[1.0, 1.0, 2.0, 2.0]), "w": weights(1, 4, 8, 7)}
    data = {k: v for k, v in known.items() if f" {k})" in body and "Relu" not in body}
    _refused(save(build(body, data), tmp_path), ModelError, pattern)


def test_words_that_are_no_text(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(_conv().SerializeToString().replace(b"Relu", b"Re\xffu"))
    _refused(path, ModelError, "is not UTF-8")
