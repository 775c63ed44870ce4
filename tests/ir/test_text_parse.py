"""What the reader of MLIR text refuses: one line that names the place, never a traceback."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tpuc.errors import ModelError
from tpuc.ir import Node
from tpuc.ir.text_parse import load_mlir, parse_mlir

TEXT = """\
#loc = loc(unknown)
module @m attributes {module.chip = "ALL", module.platform = "ONNX", module.weight_file = "w.npz"} {
  func.func @main(%arg0: tensor<1x4xf32> loc(unknown)) -> tensor<1x2xf32> {
    %0 = "top.None"() : () -> none loc(#loc)
    %1 = "top.Input"(%arg0) {do_preprocess = false} : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(#loc1)
    %2 = "top.Weight"() : () -> tensor<4x2xf32> loc(#loc2)
    %3 = "top.MatMul"(%1, %2, %0) {do_relu = true, relu_limit = 6.000000e+00 : f64} : (tensor<1x4xf32>, tensor<4x2xf32>, none) -> tensor<1x2xf32> loc(#loc3)
    %4 = "top.LeakyRelu"(%3) {alpha = 0x3FB999999999999A : f64} : (tensor<1x2xf32>) -> tensor<1x2xf32> loc(#loc4)
    return %4 : tensor<1x2xf32> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc1 = loc("x")
#loc2 = loc("w")
#loc3 = loc("fc")
#loc4 = loc("act")
"""  # noqa: E501
WEIGHTS = {"w": np.arange(8, dtype=np.float32)}


def test_flat_weights_and_hexadecimal_numbers_are_read():
    graph = parse_mlir(TEXT, WEIGHTS)
    assert [(n.op, n.name) for n in graph.nodes[1:]] == [("MatMul", "fc"), ("LeakyRelu", "act")]
    assert graph.nodes[1].weight(1).tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert graph.nodes[1].flag("do_relu")
    assert graph.nodes[2].attrs["alpha"] == 0.1


def _with_tile(line: str) -> Node:
    """The Tile of `line`, put behind the last op; %6 is a weight that holds 2 and 3."""
    counts = '%6 = "top.Weight"() : () -> tensor<2xf32> loc(#loc6)'
    text = TEXT.replace("    return %4", f"    {counts}\n    {line} loc(#loc5)\n    return %5")
    text += '#loc5 = loc("rep")\n#loc6 = loc("counts")\n'
    return parse_mlir(text, {**WEIGHTS, "counts": np.array([2, 3], np.float32)}).nodes[-1]


@pytest.mark.parametrize(
    ("line", "tile"),
    [
        ('%5 = "top.Tile"(%4) : (tensor<1x2xf32>) -> tensor<3x4xf32>', (3, 2)),
        ('%5 = "top.Tile"(%4) : (tensor<1x2xf32>) -> tensor<2x1x2xf32>', (2, 1, 1)),
        ('%5 = "top.Tile"(%4) {tile = [1, 2]} : (tensor<1x2xf32>) -> tensor<1x4xf32>', (1, 2)),
        ('%5 = "top.Tile"(%4, %6) : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<2x6xf32>', (2, 3)),
        ('%5 = "top.Tile"(%4, %6) : (tensor<1x2xf32>, tensor<2xf32>) -> tensor<*xf32>', (2, 3)),
    ],
)
def test_a_tile_repeats_as_its_attribute_its_shapes_or_its_operand_say(line, tile):
    node = _with_tile(line)
    assert (node.op, node.ints("tile"), len(node.inputs)) == ("Tile", tile, 1)
    assert node.output.shape == tuple(np.tile(np.zeros((1, 2)), tile).shape)


@pytest.mark.parametrize("shape", ["1x3", "4", "*"])
def test_a_tile_that_nothing_tells_is_refused(shape):
    with pytest.raises(ModelError, match="top.Tile lacks its attribute 'tile'"):
        _with_tile(f'%5 = "top.Tile"(%4) : (tensor<1x2xf32>) -> tensor<{shape}xf32>')


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("module @m", "modul @m", "no 'module @name"),
        ("top.MatMul", "tpu.MatMul", "line 7: only the Top dialect can be read"),
        ("top.LeakyRelu", "top.Lstm", "line 8: op top.Lstm is not supported"),
        ('"top.LeakyRelu"(%3)', '"top.LeakyRelu"(%9)', "line 8: operand %9 is not defined"),
        ("return %4", "return %7", "line 9: %7 is not defined"),
        ("return %4", "returm %4", "has no outputs"),
        ("alpha = 0x3FB999999999999A", "alpha = soon", "line 8: 'soon' is not a f64"),
        ("alpha = 0x3FB999999999999A", "alpha = 0xZZ", "line 8: '0xZZ' is not a f64"),
        ("do_relu = true", "do_relu = maybe", "line 7: 'maybe' is not a bool"),
        ("do_relu = true", "do_rely = true", "line 7: top.MatMul has an unknown attribute"),
        ("{alpha = 0x3FB999999999999A : f64} ", "", "line 8: top.LeakyRelu lacks its attribute 'a"),
        ("() -> tensor<4x2xf32>", "() -> tensor<4x?xf32>", "line 6: tensor<4x?xf32> is not a"),
        ("() -> tensor<4x2xf32>", "() -> tensor<4x3xf32>", "line 6: weight 'w' has 8 elements"),
        ("-> tensor<1x4xf32> loc(#loc1)", "-> tensor<-1x4xf32> loc(#loc1)", "line 5: tensor<-1x4x"),
        ('loc("w")', 'loc("v")', "line 6: weight 'v' is not in the weight file"),
        ('loc("act")', 'loc("fc")', "the name 'fc' is taken twice"),
        (") -> tensor<1x2xf32> loc(#loc4)", "", "line 8: not an op of the Top dialect"),
    ],
)
def test_bad_text_is_one_line_that_names_the_place(old, new, reason):
    assert old in TEXT
    with pytest.raises(ModelError) as caught:
        parse_mlir(TEXT.replace(old, new, 1), WEIGHTS, "m.mlir")
    assert str(caught.value).startswith("m.mlir")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_damage_is_refused_or_read_but_never_crashes():
    rng = random.Random(0)
    alphabet = '0123456789abcx?#%"<>[](){}:,-= .\n'
    refused = 0
    for _ in range(1500):
        text = TEXT
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(len(text))
            keep = rng.choice((0, 1, 1, 5, 40))
            text = text[:at] + rng.choice(alphabet) + text[at + keep :]
        try:
            parse_mlir(text, WEIGHTS)
        except ModelError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 500


def _files(folder, text=TEXT):
    np.savez(folder / "w.npz", **WEIGHTS)
    (folder / "m.mlir").write_text(text)
    return folder / "m.mlir"


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="m.mlir: no such file"):
        load_mlir(tmp_path / "m.mlir")


def test_a_missing_weight_file(tmp_path):
    path = _files(tmp_path)
    (tmp_path / "w.npz").unlink()
    with pytest.raises(ModelError, match="its weight file .* is missing"):
        load_mlir(path)


def test_a_text_that_names_no_weight_file(tmp_path):
    path = _files(tmp_path, TEXT.replace("module.weight_file", "module.wait_file"))
    with pytest.raises(ModelError, match="has no module.weight_file"):
        load_mlir(path)


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_a_damaged_weight_file(tmp_path, damage):
    path = _files(tmp_path)
    whole = (tmp_path / "w.npz").read_bytes()
    (tmp_path / "w.npz").write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(ModelError, match="not a readable npz of weights"):
        load_mlir(path)


def test_pickled_weights_are_refused(tmp_path):
    path = _files(tmp_path)
    np.savez(tmp_path / "w.npz", w=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="not a readable npz of weights"):
        load_mlir(path)


def test_a_binary_file_is_no_mlir(tmp_path):
    (tmp_path / "m.mlir").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ModelError, match="expected Top MLIR"):
        load_mlir(tmp_path / "m.mlir")
