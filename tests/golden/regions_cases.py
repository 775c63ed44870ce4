"""Small networks of RoiAlign and NonMaxSuppression, and a sample of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

__all__ = ["CASES", "FOLDER", "model", "sample"]

FOLDER = Path(__file__).resolve().parent / "regions"
REGIONS, BOXES, CLASSES = 9, 24, 3
_ROI = "output_height=3, output_width=4, spatial_scale=0.5"
CASES = {
    "half_pixel": f"z = RoiAlign<{_ROI}>(c, r, n)",
    "output_half_pixel": (
        'z = RoiAlign<output_height=2, output_width=2, spatial_scale=0.5, sampling_ratio=3, '
        'coordinate_transformation_mode="output_half_pixel">(c, r, n)'
    ),
    "nms": "y = NonMaxSuppression(b, p, most, iou, least)",
}  # fmt: skip


def model(name: str) -> onnx.ModelProto:
    """The network: a convolution before regions and Sigmoid behind them, or scores from Sigmoid."""
    rng = np.random.default_rng(1684)
    data: dict[str, np.ndarray] = {"zero": np.array([0.25], np.float32)}
    if name == "nms":
        head = (
            f"(float[2,{BOXES},4] boxes, float[2,{CLASSES},{BOXES}] scores) => (int64[N,3] y)"
            " { b = Add(boxes, zero) p = Sigmoid(scores) "
        )
        body = CASES[name] + " }"
        data |= {
            "most": np.array([6], np.int64),
            "iou": np.array([0.3], np.float32),
            "least": np.array([0.45], np.float32),
        }
    else:
        head = f"(float[2,8,8,8] x, float[{REGIONS},4] rois) => (float[R,8,H,W] y)"
        head += " { c = Conv(x, w) r = Add(rois, zero) "
        body = CASES[name] + " y = Sigmoid(z) }"
        data["w"] = rng.normal(0, 0.35, (8, 8, 1, 1)).astype(np.float32)
        data["n"] = rng.integers(0, 2, REGIONS)
    graph = onnx.parser.parse_graph(f"g {head}{body}")
    graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in data.items())
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 16)], ir_version=8
    )


def sample(name: str) -> dict[str, np.ndarray]:
    """Inputs by name, float32; some regions reach beyond the picture, many boxes overlap."""
    rng = np.random.default_rng(1)
    if name == "nms":
        low, sides = rng.uniform(0, 6, (2, BOXES, 2)), rng.uniform(1, 5, (2, BOXES, 2))
        found = {
            "boxes": np.concatenate((low, low + sides), 2),
            "scores": rng.normal(0, 1, (2, CLASSES, BOXES)),
        }
    else:
        low, sides = rng.uniform(-2, 14, (REGIONS, 2)), rng.uniform(0.2, 9, (REGIONS, 2))
        found = {
            "x": rng.normal(0, 1, (2, 8, 8, 8)),
            "rois": np.concatenate((low, low + sides), 1),
        }
    return {key: array.astype(np.float32) for key, array in found.items()}
