"""RoiAlign and NonMaxSuppression."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts
from tpuc.ir import Attr, Value

__all__ = ["non_max_suppression", "roi_align"]

_ALL = 10000  # TPU-MLIR's number for the largest there is
_HUGE = 2**63 - 1000
_LOWEST = float(np.finfo(np.float32).min)
_LIMITS = ("max_output_boxes_per_class", "iou_threshold", "score_threshold")


@converts("RoiAlign")
def roi_align(context: Context, node: OnnxNode) -> None:
    """Bins of regions of interest; each region gets the number of its picture as first column."""
    mode = str(node.attrs.get("mode", "avg"))
    place = str(node.attrs.get("coordinate_transformation_mode", "half_pixel"))
    if mode not in ("avg", "max") or place not in ("half_pixel", "output_half_pixel"):
        raise UnsupportedError(
            f"{node}: mode '{mode}', coordinate_transformation_mode '{place}'; expected avg or "
            "max, half_pixel or output_half_pixel"
        )
    rois = context.value(node, 1)
    if len(rois.shape) != 2 or rois.shape[1] != 4:
        raise UnsupportedError(f"{node}: its regions are {rois.shape}; expected (R, 4)")
    numbered = [_numbers(context, node), rois]
    if all(v.data is not None for v in numbered):
        joined = np.concatenate([v.data for v in numbered if v.data is not None], axis=1)
        regions = context.weight(f"{node.name}_concat", joined)
    else:
        regions = context.emit(node, "Concat", numbered, {"axis": 1}, f"{node.name}_concat")
    attrs: dict[str, Attr] = {
        "align_corners": context.opset >= 16 and place == "half_pixel",
        "mode": mode.capitalize(),
        "output_height": int(node.attrs.get("output_height", 1)),
        "output_width": int(node.attrs.get("output_width", 1)),
        "sampling_ratio": int(node.attrs.get("sampling_ratio", 0)),
        "spatial_scale": float(node.attrs.get("spatial_scale", 1.0)),
    }
    context.emit(node, "RoiAlign", [context.value(node), regions], attrs)


def _numbers(context: Context, node: OnnxNode) -> Value:
    """Which picture each region is of, (R, 1)."""
    name = f"{node.name}_unsqueeze"
    if context.is_constant(node, 2):
        return context.weight(name, context.constant(node, 2).reshape(-1, 1))
    return context.emit(node, "Unsqueeze", [context.value(node, 2)], {"axes": (-1,)}, name)


@converts("NonMaxSuppression")
def non_max_suppression(context: Context, node: OnnxNode) -> None:
    """The best boxes of each class; rows for the most that there can be."""
    given = [context.scalar(node, i) for i in (2, 3, 4)]
    for index, number in enumerate(given):
        if number is None and node.has(index + 2):
            raise UnsupportedError(f"{node}: {_LIMITS[index]} is computed; expected a constant")
    most = given[0] or 0
    if most < 1:
        raise UnsupportedError(
            f"{node}: max_output_boxes_per_class is {most:g}, which keeps no box; "
            "expected 1 or more"
        )
    limits = (most, given[1] or 0.0, _LOWEST if given[2] is None else given[2])
    operands = [context.value(node), context.value(node, 1)]
    for index, number in enumerate(limits):
        name = f"{node.name}_{_LIMITS[index]}"
        operands.append(context.weight(name, np.array([number], np.float32)))
    attrs: dict[str, Attr] = {
        "center_point_box": int(node.attrs.get("center_point_box", 0)),
        "max_output_size": _ALL if most > _HUGE else int(most),
    }
    context.emit(node, "Nms", operands, attrs)
