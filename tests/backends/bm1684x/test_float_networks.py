"""Whole networks with floats: convolutional ones, transformers, a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backends.bm1684x.running import run_here
from tests.golden import networks, transformers
from tpuc.backends.bm1684x import compile_graph, why_not
from tpuc.calibration import table as table_text
from tpuc.frontend.onnx_reader import read_onnx
from tpuc.ir import Graph
from tpuc.lowering import lower
from tpuc.passes import canonicalize
from tpuc.simulator import interpret


def _lowered(name: str, mode: str, folder: Path, processor) -> Graph:
    source = networks if name in networks.NAMES else transformers
    graph = read_onnx(source.onnx_file(name, folder))
    canonicalize(graph)
    table = None
    if mode == "INT8":
        table = table_text.read(transformers.FOLDER / f"{name}_cali_table")
    return lower(graph, table, processor, mode).graph


def _feeds(name: str, graph: Graph) -> dict[str, np.ndarray]:
    if name in networks.NAMES:
        return {"input": networks.sample(0)}
    kinds = {v.name: v.dtype.numpy for v in graph.inputs}
    return {k: v.astype(kinds[k]) for k, v in transformers.sample(name, 0).items()}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("mobilenet_v3_small", "F16"),
        ("mobilenet_v3_small", "BF16"),
        ("resnet18", "F32"),
        ("vit", "F16"),
        ("vit", "INT8"),
        ("vit", "F32"),
        ("bert", "F16"),
        ("deit", "INT8"),
        ("yolov8", "INT8"),
    ],
)
def test_networks_give_the_numbers_of_the_simulator(name, mode, tmp_path, bm1684x) -> None:
    graph = _lowered(name, mode, tmp_path, bm1684x)
    assert why_not(graph) is None
    feeds = _feeds(name, graph)
    expected = interpret(graph, feeds)
    for output, found in run_here(graph, compile_graph(graph), feeds).items():
        a, b = found.reshape(-1).astype(np.float64), expected[output].reshape(-1)
        assert a @ b > 0.9995 * np.linalg.norm(a) * np.linalg.norm(b)
        assert np.abs(a - b).max() <= 0.03 * np.abs(b).max()


def test_bytes_behind_norms_stay_near(tmp_path, bm1684x) -> None:
    """The simulator does not round norms to half, so bytes made of them differ by 1 here and there;
    a network of small outputs feels it."""
    graph = _lowered("bert", "INT8", tmp_path, bm1684x)
    assert why_not(graph) is None
    feeds = _feeds("bert", graph)
    expected = interpret(graph, feeds)
    for output, found in run_here(graph, compile_graph(graph), feeds).items():
        a, b = found.reshape(-1).astype(np.float64), expected[output].reshape(-1)
        assert a @ b > 0.99 * np.linalg.norm(a) * np.linalg.norm(b)
