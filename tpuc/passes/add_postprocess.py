"""Adds decoding and suppression of a YOLO's boxes behind its outputs (model_transform's option)."""

from __future__ import annotations

from tpuc.errors import ConfigError
from tpuc.ir import Attr, Graph, Node, Value

__all__ = ["POSTPROCESS", "add_postprocess"]

POSTPROCESS = ("yolov5", "yolov7", "yolov8", "yolov11")

_ANCHORS = (
    *(10.0, 13.0, 16.0, 30.0, 33.0, 23.0),
    *(30.0, 61.0, 62.0, 45.0, 59.0, 119.0),
    *(116.0, 90.0, 156.0, 198.0, 373.0, 326.0),
)  # YOLOv5's, as published: width and height in pixels, three a grid, finest grid first
_KNOWN = {"yolov7": "yolov5"}  # decoded, they are the same, and TPU-MLIR has no word for yolov7
_TOP = 200  # boxes of a sample
_LIMIT = 0.5  # of score and IoU
_CLASSES = 80  # whatever there are, as TPU-MLIR writes: both count them by the shapes


def add_postprocess(graph: Graph, version: str) -> None:
    """Replace the outputs by one op `yolo_post`, (1, 1, 200 * batch, 7).

    Parameters
    ----------
    version : {'yolov5', 'yolov7', 'yolov8', 'yolov11'}

    Raises
    ------
    ConfigError : the outputs are not those of such a network
    """
    picture = graph.inputs[0].shape
    outputs = list(graph.outputs)
    shapes = [v.shape for v in outputs]
    grids = version == "yolov5" and all(len(s) == 4 for s in shapes) and len(shapes) == 3
    if len(picture) != 4 or not (grids or (len(shapes) == 1 and len(shapes[0]) == 3)):
        wanted = {
            "yolov5": "three of [B, 3 * (5 + C), H, W], or one of [B, N, 5 + C]",
            "yolov7": "one of [B, N, 5 + C]",
        }.get(version, "one of [B, 4 + C, N]")
        raise ConfigError(
            f"model.add_postprocess: {version}: the outputs are {[list(s) for s in shapes]}; "
            f"expected {wanted}. Hint: model.output_names"
        )
    if grids:
        outputs.sort(key=lambda v: -v.shape[3])
        classes = shapes[0][1] // 3 - 5
    else:
        classes = shapes[0][2] - 5 if version in ("yolov5", "yolov7") else shapes[0][1] - 4
    if classes < 1:
        raise ConfigError(
            f"model.add_postprocess: {version}: outputs of shape {[list(s) for s in shapes]} "
            "hold no class. Hint: another of " + ", ".join(POSTPROCESS)
        )
    out = Value("yolo_post", (1, 1, _TOP * picture[0], 7))
    attrs: dict[str, Attr] = {
        "agnostic_nms": False,
        "anchors": _ANCHORS if grids else (0.0,),
        "class_num": _CLASSES,
        "keep_topk": _TOP,
        "net_input_h": picture[2],
        "net_input_w": picture[3],
        "nms_threshold": _LIMIT,
        "num_boxes": 3,
        "obj_threshold": _LIMIT,
        "version": _KNOWN.get(version, version),
    }
    graph.nodes.append(Node("YoloDetection", tuple(outputs), (out,), attrs))
    graph.outputs = [out]
    graph.attrs["postprocess"] = attrs["version"]
