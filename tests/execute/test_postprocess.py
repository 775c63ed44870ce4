"""YoloDetection against TPU-MLIR's, bit by bit; the pass that adds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.golden.postprocess_cases import CASES, SIDE, heads
from tpuc.errors import ConfigError
from tpuc.execute.kernels import KERNELS
from tpuc.ir import Graph, Node, Value
from tpuc.ir.text import print_mlir
from tpuc.ir.text_parse import parse_mlir
from tpuc.passes import add_postprocess

GOLDEN = Path(__file__).parents[1] / "golden" / "postprocess" / "boxes.npz"


def network(shapes: list[tuple[int, ...]]) -> Graph:
    graph = Graph("net", "top", {})
    for index, shape in enumerate([(1, 3, SIDE, SIDE), *shapes]):
        value = Value(f"x{index}", shape)
        graph.nodes.append(Node("Input", (), (value,), {}))
        graph.inputs.append(value)
    graph.outputs = list(graph.inputs[1:])
    return graph


@pytest.mark.parametrize("name", CASES)
def test_boxes_equal_those_of_tpu_mlir(name: str) -> None:
    arrays = heads(name)
    graph = network([a.shape for a in arrays[::-1]])
    add_postprocess(graph, name.split("_")[0])
    node = graph.nodes[-1]
    assert node.op == "YoloDetection"
    widths = [v.shape[-1] for v in node.inputs]
    assert widths == sorted(widths, reverse=True)  # the finest grid first
    found = KERNELS["YoloDetection"](node, *map(torch.from_numpy, arrays))
    with np.load(GOLDEN) as golden:
        assert np.array_equal(found.numpy().reshape(-1, 7), golden[name])


@pytest.mark.parametrize("name", CASES)
def test_classes_are_told_as_tpu_mlir_tells_them(name: str) -> None:
    """It writes 80 for every network, and stops where the module has no mark."""
    graph = network([a.shape for a in heads(name)])
    add_postprocess(graph, name.split("_")[0])
    assert graph.nodes[-1].attrs["class_num"] == 80
    text = print_mlir(graph, "w.npz")
    mark = f'module.platform = "ONNX", module.postprocess = "{name.split("_")[0]}", module.state'
    assert mark in text
    assert parse_mlir(text, {}).attrs["postprocess"] == name.split("_")[0]


def test_yolov7_is_decoded_as_yolov5_is() -> None:
    arrays = heads("yolov5")
    found = []
    for version in ("yolov5", "yolov7"):
        graph = network([a.shape for a in arrays])
        add_postprocess(graph, version)
        found.append(graph.nodes[-1])
    assert found[0].attrs == found[1].attrs  # TPU-MLIR knows the former only


def test_each_sample_of_a_wide_run_has_its_own_table() -> None:
    (x,) = heads("yolov8")
    graph = network([x.shape])
    add_postprocess(graph, "yolov8")
    node = graph.nodes[-1]
    (one,) = (KERNELS["YoloDetection"](node, torch.from_numpy(x)),)
    node.output.shape = (2, 1, 200, 7)
    both = KERNELS["YoloDetection"](node, torch.from_numpy(np.concatenate((x, x))))
    assert torch.equal(both, torch.cat((one, one)))


@pytest.mark.parametrize(
    ("version", "shapes", "message"),
    [
        ("yolov8", [(1, 10)], r"the outputs are \[\[1, 10\]\]; expected one of \[B, 4 \+ C, N\]"),
        ("yolov7", [(1, 255, 8, 8)] * 3, r"expected one of \[B, N, 5 \+ C\]"),
        ("yolov5", [(1, 255, 8, 8)] * 2, "expected three of"),
        ("yolov8", [(1, 4, 100)], "hold no class"),
    ],
)
def test_outputs_of_another_network(
    version: str, shapes: list[tuple[int, ...]], message: str
) -> None:
    graph = network(shapes)
    with pytest.raises(ConfigError, match=message):
        add_postprocess(graph, version)
