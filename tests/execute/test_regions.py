"""RoiAlign and NonMaxSuppression: as onnxruntime in float, as TPU-MLIR in every build."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontend.onnx_models import save
from tests.golden.regions_cases import CASES, FOLDER, model, sample
from tpuc.calibration import table as table_text
from tpuc.errors import DataError, Skip, UnsupportedError
from tpuc.execute import run
from tpuc.frontend import read_onnx
from tpuc.ir import Graph
from tpuc.ir.batch import with_batch
from tpuc.ir.text_parse import parse_mlir
from tpuc.kernels.casts import to_float32
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.simulator import Program
from tpuc.simulator.interpreter import interpret

MODES = ("INT8", "F16", "BF16", "F32")
pytestmark = pytest.mark.filterwarnings("ignore")


def network(body: str, inputs: str, data: dict[str, np.ndarray], opset: int) -> onnx.ModelProto:
    graph = onnx.parser.parse_graph(f"g ({inputs}) => (float[N] y) {{ {body} }}")
    graph.output[0].type.tensor_type.ClearField("shape")
    if "NonMax" in body:
        graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in data.items())
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8
    )


def by_onnxruntime(wanted: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(
        wanted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, feeds)[0])


def imported(wanted: onnx.ModelProto, folder: Path) -> Graph:
    graph = read_onnx(save(wanted, folder))
    canonicalize(graph)
    return graph


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("regions")


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    mode=st.sampled_from(["avg", "max"]),
    ratio=st.integers(0, 3),
    place=st.sampled_from(["half_pixel", "output_half_pixel", None]),
    bins=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    scale=st.sampled_from([0.25, 0.3, 1.0]),
)
def test_roi_align_is_onnxruntimes(folder, seed, mode, ratio, place, bins, scale):
    rng = np.random.default_rng(seed)
    low, sides = rng.uniform(-8, 20, (5, 2)), rng.uniform(0, 20, (5, 2))
    feeds = {"x": rng.normal(size=(2, 3, 6, 5)), "r": np.concatenate((low, low + sides), 1)}
    feeds = {k: v.astype(np.float32) for k, v in feeds.items()}
    named = f', coordinate_transformation_mode="{place}"' if place else ""
    attrs = f'mode="{mode}", sampling_ratio={ratio}, spatial_scale={scale}{named}'
    body = f"y = RoiAlign<output_height={bins[0]}, output_width={bins[1]}, {attrs}>(x, r, n)"
    data = {"n": rng.integers(0, 2, 5)}
    wanted = network(body, "float[2,3,6,5] x, float[5,4] r", data, 16 if place else 10)
    graph = imported(wanted, folder)
    found = run(graph, feeds)[graph.outputs[0].name]
    np.testing.assert_allclose(found, by_onnxruntime(wanted, feeds), rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    centred=st.booleans(),
    classes=st.integers(1, 3),
    most=st.sampled_from([1, 3, 50, 2**63 - 1]),
    limits=st.tuples(
        st.sampled_from([None, 0.0, 0.3, 1.0]), st.sampled_from([None, -0.5, 0.0, 0.4])
    ),
)
def test_nms_is_onnxruntimes(folder, seed, centred, classes, most, limits):
    """Corners in any order, boxes without an area, equal scores and scores at the limit."""
    rng = np.random.default_rng(seed)
    feeds = {
        "b": (rng.integers(0, 9, (2, 12, 4)) / 2).astype(np.float32),
        "s": (rng.integers(-5, 10, (2, classes, 12)) / 10).astype(np.float32),
    }
    iou, least = limits
    words = ["b", "s", "m", "" if iou is None else "i", "" if least is None else "l"]
    data = {"m": np.array([most], np.int64)}
    data |= {k: np.array([v], np.float32) for k, v in zip("il", limits) if v is not None}
    body = f"y = NonMaxSuppression<center_point_box={int(centred)}>({', '.join(words)})"
    body = re.sub(r"(, )+\)", ")", body)
    inputs = f"float[2,12,4] b, float[2,{classes},12] s"
    wanted = network(body, inputs, data, 13)
    rows = by_onnxruntime(wanted, feeds)
    graph = imported(wanted, folder)
    found = run(graph, feeds)[graph.outputs[0].name]
    assert found.shape == (2 * classes * min(most, 12), 3)
    np.testing.assert_array_equal(found[: len(rows)], rows)
    assert (found[len(rows) :] == -1).all()


@pytest.mark.parametrize("name", CASES)
def test_top_graph_is_tpu_mlirs(name, folder):
    text = (FOLDER / f"{name}.mlir").read_text()
    sizes = {
        title: np.zeros([int(d) for d in re.findall(r"\d+", dims)[:-1]])
        for dims, title in _weights(text)
    }
    theirs, ours = parse_mlir(text, sizes), imported(model(name), folder)
    lines = [
        [(n.op, n.name, n.attrs if n.op in ("RoiAlign", "Nms") else {}, n.output.shape) for n in g]
        for g in (ours, theirs)
    ]
    assert sorted(lines[0], key=str) == sorted(lines[1], key=str)


def _weights(text: str) -> list[tuple[str, str]]:
    names = dict(re.findall(r'^(#loc\d+) = loc\("(.*)"\)$', text, re.M))
    found = re.findall(r'"top\.Weight"\(\) : \(\) -> tensor<(.*)> loc\((#loc\d+)\)', text)
    return [(dims, names[loc]) for dims, loc in found]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_every_tensor_is_tpu_mlirs(name, mode, folder, bm1684x):
    table = table_text.read(FOLDER / f"{name}_cali_table") if mode == "INT8" else None
    graph = lower(imported(model(name), folder), table, bm1684x, mode).graph
    stored = interpret(graph, sample(name))
    values = {v.name: v for v in graph.values()}
    with np.load(FOLDER / f"{name}.npz") as golden:
        expected = {k.split(":")[1]: golden[k] for k in golden.files if k.startswith(f"{mode}:")}
    assert set(expected) <= set(stored)
    for key, wanted in expected.items():
        found = to_float32(stored[key], values[key])
        rows = len(wanted) if key.startswith("y_NonMax") else len(found)  # as many as it kept
        np.testing.assert_array_equal(found[:rows], wanted, err_msg=key)
        assert (found[rows:] == -1).all()
    fast = Program(graph).run(sample(name))
    for value in graph.outputs:
        assert np.array_equal(fast[value.name], to_float32(stored[value.name], value))


@pytest.mark.parametrize("name", CASES)
def test_samples_are_run_one_by_one(name, folder):
    assert isinstance(with_batch(imported(model(name), folder), 2), Skip)


def test_a_region_of_no_picture(folder):
    wanted = network(
        "y = RoiAlign(x, r, n)", "float[2,3,6,5] x, float[1,4] r", {"n": np.array([2])}, 16
    )
    feeds = {"x": np.zeros((2, 3, 6, 5), np.float32), "r": np.ones((1, 4), np.float32)}
    with pytest.raises(DataError, match="region 0 is of picture 2; expected 0 to 1"):
        run(imported(wanted, folder), feeds)


@pytest.mark.parametrize(
    ("body", "inputs", "data", "message"),
    [
        ("y = NonMaxSuppression(b, s)", "", {}, "is 0, which keeps no box; expected 1 or more"),
        ("y = NonMaxSuppression(b, s, m)", "", {"m": np.array([0])}, "keeps no box"),
        ("y = NonMaxSuppression(b, s, m)", ", int64[1] m", {}, "per_class is computed"),
        ("y = NonMaxSuppression(s, b, m)", "", {"m": np.array([1])}, r"expected boxes \(N, B, 4\)"),
        ("y = RoiAlign(b, q, n)", ", float[2,4] q", {"n": np.array([0, 0])}, "expected pictures"),
        ("y = RoiAlign(b, s, n)", "", {"n": np.array([0])}, r"regions are .*; expected \(R, 4\)"),
    ],
)
def test_what_is_refused(folder, body, inputs, data, message):
    wanted = network(body, f"float[1,12,4] b, float[1,2,12] s{inputs}", data, 16)
    with pytest.raises(UnsupportedError, match=message):
        imported(wanted, folder)
