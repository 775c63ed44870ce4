from __future__ import annotations

import dataclasses

import pytest

from tpuc.errors import ConfigError
from tpuc.frontend import Preprocess, attach_preprocess
from tpuc.ir import Graph, Value, with_defaults
from tpuc.ir.text import print_mlir


def input_graph(*shapes: tuple[int, ...]) -> Graph:
    graph = Graph("net")
    for i, shape in enumerate(shapes):
        graph.add("Input", [], [Value(f"x{i}", shape)], with_defaults("Input", {}))
    graph.outputs = graph.inputs
    return graph


def test_text_is_what_model_transform_prints() -> None:
    graph = input_graph((1, 3, 64, 64))
    preprocess = Preprocess(
        resize_dims=(100, 110),
        mean=(123.675, 116.28, 103.53),
        scale=(0.0171, 0.0175, 0.0174),
        pixel_format="rgb",
    )
    assert attach_preprocess(graph, preprocess) == ["x0"]
    (line,) = [t for t in print_mlir(graph, "w.npz").splitlines() if "top.Input" in t]
    assert (
        '{channel_format = "nchw", do_preprocess = true, keep_aspect_ratio = false, '
        'keep_ratio_mode = "letterbox", '
        "mean = [123.67500305175781, 116.27999877929688, 103.52999877929688], "
        'pad_type = "center", pad_value = 0 : i64, pixel_format = "rgb", '
        "resize_dims = [100, 110], "
        "scale = [0.017100000753998756, 0.017500000074505806, 0.017400000244379044], "
        'yuv_type = ""}'
    ) in line


def test_default_size_is_the_networks() -> None:
    graph = input_graph((1, 3, 64, 48))
    attach_preprocess(graph, Preprocess())
    assert graph.nodes[0].attrs["resize_dims"] == (64, 48)
    graph = input_graph((1, 64, 48, 3))
    attach_preprocess(graph, Preprocess(channel_format="nhwc"))
    assert graph.nodes[0].attrs["resize_dims"] == (64, 48)


def test_only_inputs_that_hold_pictures() -> None:
    graph = input_graph((1, 10), (1, 3, 8, 8), (1, 1, 8, 8), (1, 8, 8, 3))
    assert attach_preprocess(graph, Preprocess()) == ["x1"]
    assert "pixel_format" not in graph.nodes[0].attrs
    assert attach_preprocess(graph, Preprocess(pixel_format="gray")) == ["x2"]


WRONG = [
    ({"pixel_format": "rgbb"}, "pixel_format: 'rgbb'; expected one of bgr, rgb, gray, rgba"),
    ({"channel_format": "hwc"}, "channel_format: 'hwc'"),
    ({"keep_ratio_mode": "pad"}, "keep_ratio_mode: 'pad'"),
    ({"pad_type": "left"}, "pad_type: 'left'; expected one of center, normal"),
    ({"mean": (1.0,)}, "mean: has 1 numbers; expected 3 for pixel_format=bgr"),
    ({"scale": (1.0, 1.0, 1.0, 1.0)}, "scale: has 4 numbers; expected 3"),
    ({"pixel_format": "rgba"}, "mean: has 3 numbers; expected 4"),
    ({"pixel_format": "gray", "mean": ()}, "mean: has 0 numbers; expected 1"),
    ({"mean": (0.0, float("nan"), 0.0)}, "mean: .*expected finite"),
    ({"scale": (1.0, 0.0, 1.0)}, "scale: 0 would erase"),
    ({"pad_value": 256}, "pad_value: 256; expected 0 to 255"),
    ({"resize_dims": (0, 8)}, r"resize_dims: \[0, 8\]; expected height and width"),
    ({"resize_dims": (8,)}, r"resize_dims: \[8\]"),
    ({"resize_dims": (64, 7)}, r"resize_dims: \[64, 7\] is smaller than input 'x0' \(\[8, 8\]\)"),
]


@pytest.mark.parametrize(("change", "reason"), WRONG)
def test_wrong_values(change: dict, reason: str) -> None:
    graph = input_graph((1, 3, 8, 8))
    before = dict(graph.nodes[0].attrs)
    with pytest.raises(ConfigError, match=rf"model\.preprocess\.{reason}") as caught:
        attach_preprocess(graph, dataclasses.replace(Preprocess(), **change))
    assert "\n" not in str(caught.value)
    assert graph.nodes[0].attrs == before
