"""Resize and Upsample."""

from __future__ import annotations

import numpy as np

from tpuc.errors import UnsupportedError
from tpuc.frontend.onnx_context import Context, OnnxNode
from tpuc.frontend.registry import converts

__all__ = ["resize"]


@converts("Resize", "Upsample")
def resize(context: Context, node: OnnxNode) -> None:
    """Nearest or linear interpolation of height and width.

    Integer nearest ratios become Upsample in a pass.
    """
    x = context.value(node)
    mode = node.attrs.get("mode", "nearest")
    coord = node.attrs.get("coordinate_transformation_mode", _old_coord(context, node))
    _check(context, node, mode, coord)
    if len(x.shape) != 4:
        raise UnsupportedError(f"{node}: input of shape {x.shape}; expected N C H W")
    size = _size(context, node, x.shape)
    attrs = {"coord_mode": coord, "mode": mode}
    if isinstance(size, tuple):
        target = context.weight(f"{node.name}_target_shape", np.array(size, np.float32))
        context.emit(node, "Interp", [x, target], attrs)
    else:
        scale_h, scale_w = (float(s) for s in size)
        context.emit(node, "Interp", [x, None], {**attrs, "scale_h": scale_h, "scale_w": scale_w})


def _old_coord(context: Context, node: OnnxNode) -> str:
    old = node.op_type == "Upsample" or context.opset < 11
    return "asymmetric" if old else "half_pixel"


def _check(context: Context, node: OnnxNode, mode: str, coord: str) -> None:
    if mode not in ("nearest", "linear"):
        raise UnsupportedError(f"{node}: mode '{mode}'; expected nearest or linear")
    if coord not in ("align_corners", "half_pixel", "pytorch_half_pixel", "asymmetric"):
        raise UnsupportedError(f"{node}: coordinate_transformation_mode '{coord}'")
    rounding = node.attrs.get("nearest_mode", "round_prefer_floor")
    modern = node.op_type == "Resize" and context.opset >= 11
    if mode == "nearest" and modern and coord == "asymmetric" and rounding != "floor":
        raise UnsupportedError(f"{node}: nearest_mode '{rounding}'; expected floor")
    if node.attrs.get("antialias", 0) or node.attrs.get("axes") is not None:
        raise UnsupportedError(f"{node}: antialias and axes are not supported")


def _size(context: Context, node: OnnxNode, shape: tuple[int, ...]) -> tuple[int, int] | np.ndarray:
    """Output size (h, w) if the model gives sizes, else an array of two factors."""
    if node.op_type == "Resize" and context.opset >= 11 and node.has(3):
        sizes = context.constant(node, 3).reshape(-1)
        if tuple(sizes[:2]) != shape[:2]:
            raise UnsupportedError(f"{node}: resizes batch or channels: {sizes.tolist()}")
        return int(sizes[2]), int(sizes[3])
    if "scales" in node.attrs:
        scales = np.asarray(node.attrs["scales"], np.float32)
    else:
        modern = node.op_type == "Resize" and context.opset >= 11
        scales = context.constant(node, 2 if modern else 1).reshape(-1)
    if len(scales) != 4 or scales[0] != 1 or scales[1] != 1:
        raise UnsupportedError(f"{node}: scales {scales.tolist()}; expected 1, 1, h, w")
    return np.asarray(scales[2:], np.float64)
