"""Rotary embedding, however it is written, becomes the Rope that TPU-MLIR makes of it."""

from __future__ import annotations

import gzip
import re

import numpy as np
import onnx
import pytest

from tests.golden.mlir_names import FOLDER
from tests.golden.weights import fill_weights
from tests.passes.net import Net, assert_same_numbers, ops
from tpuc.frontend import read_onnx
from tpuc.ir import Value, with_defaults
from tpuc.ir.text_parse import parse_mlir
from tpuc.passes import canonicalize, fuse_rope

END = np.iinfo(np.int64).max


def cut(net: Net, name: str, x: Value, axis: int, part: slice) -> Value:
    rank = len(x.shape)
    offset, ends, steps = [0] * rank, [END] * rank, [1] * rank
    offset[axis], steps[axis] = part.start or 0, part.step or 1
    ends[axis] = END if part.stop is None else part.stop
    attrs = {"offset": tuple(offset), "ends": tuple(ends), "steps": tuple(steps)}
    return net.op("Slice", name, x, None, None, None, **attrs)


def embedded(net: Net, x: Value, first: int = 1, shape: tuple[int, ...] = ()) -> Value:
    """x * cos + turned(x) * sin; `first`: where the number that comes first in a pair is from."""
    left = cut(net, "left", x, 3, slice(first, None, 2))
    right = cut(net, "right", x, 3, slice(1 - first, None, 2))
    minus = net.op("MulConst", "minus", left, const_val=-1.0)
    pairs = [net.op("Unsqueeze", f"{v.name}_pair", v, axes=(-1,)) for v in (minus, right)]
    turned = net.op("Reshape", "turned", net.op("Concat", "pairs", *pairs, axis=4), shape=x.shape)
    angles = shape or (1, 1, *x.shape[2:])
    sin = net.op("Mul", "with_sin", turned, net.weight("sin", *angles))
    return net.op("Add", "sum", net.op("Mul", "with_cos", x, net.weight("cos", *angles)), sin)


def fused(graph) -> int:
    before = graph.clone()
    count = fuse_rope.run(graph).count
    assert_same_numbers(before, graph, 0.0)
    return count


def test_all_rows():
    net = Net(1, 3, 5, 8)
    graph = net.done(embedded(net, net.x))
    assert fused(graph) == 1
    assert ops(graph) == ["Rope sum"]
    assert [v.shape for v in graph.nodes[-1].inputs] == [(1, 3, 5, 8), (1, 1, 5, 8), (1, 1, 5, 8)]


def test_a_row_kept_aside_has_the_angle_0():
    net = Net(1, 3, 5, 8)
    rest = cut(net, "rest", net.x, 2, slice(1, None))
    aside = cut(net, "aside", net.x, 2, slice(0, 1))
    graph = net.done(net.op("Concat", "all", aside, embedded(net, rest), axis=2))
    assert fused(graph) == 1
    assert ops(graph) == ["Rope all"]
    sin, cos = (graph.nodes[-1].weight(i) for i in (1, 2))
    assert (sin[..., 0, :] == 0).all()
    assert (cos[..., 0, :] == 1).all()


@pytest.mark.parametrize("reason", ["pairs turned the other way", "angles by head", "relu", "read"])
def test_what_only_looks_like_it_stays(reason):
    net = Net(1, 3, 5, 8)
    if reason == "pairs turned the other way":
        out = embedded(net, net.x, first=0)
    elif reason == "angles by head":
        out = embedded(net, net.x, shape=(1, 3, 5, 8))
    else:
        out = embedded(net, net.x)
    if reason == "relu":
        out.producer.attrs["do_relu"] = True
    others = [out.producer.inputs[0]] if reason == "read" else []
    graph = net.done(out, *others)
    assert fuse_rope.run(graph).count == 0


def weights_of(text: str) -> dict[str, np.ndarray]:
    """Zeros for the weights that a file without them declares."""
    names = dict(re.findall(r'^#loc(\d+) = loc\("(.*)"\)$', text, re.M))
    found = re.findall(r'"top.Weight"\(\) : \(\) -> tensor<([\dx]+)xf32> loc\(#loc(\d+)', text)
    return {names[at]: np.zeros([int(d) for d in s.split("x")], np.float32) for s, at in found}


@pytest.mark.parametrize("name", ["eva02_timm", "eva02_clip"])
def test_eva02_is_imported_as_tpu_mlir_imports_it(name, tmp_path):
    packed = gzip.decompress((FOLDER / f"{name}.onnx.gz").read_bytes())
    model = onnx.ModelProto.FromString(packed)
    fill_weights(model)
    onnx.save(model, str(tmp_path / "net.onnx"))
    ours = read_onnx(tmp_path / "net.onnx")
    canonicalize(ours)
    text = gzip.decompress((FOLDER / f"{name}.mlir.gz").read_bytes()).decode()
    theirs = parse_mlir(text, weights_of(text))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.op, mine.name) == (other.op, other.name)
        if mine.op != "Input":
            assert with_defaults(mine.op, mine.attrs) == with_defaults(other.op, other.attrs)
        assert [v.shape for v in mine.outputs] == [v.shape for v in other.outputs]
    assert sum(node.op == "Rope" for node in ours) == 4
