"""Shapes of comparisons, selections and ops that index."""

from __future__ import annotations

from tpuc.errors import GraphError
from tpuc.ir.node import Node
from tpuc.ir.shapes.registry import Shapes, broadcast, rule, shape_of

__all__: list[str] = []


@rule("Compare", "Mod", "Where")
def _elementwise(node: Node) -> Shapes:
    return (broadcast(node, [v.shape for v in node.inputs if v is not None]),)


@rule("GatherElements")
def _gather_elements(node: Node) -> Shapes:
    return (shape_of(node, 1),)


@rule("GatherND")
def _gather_nd(node: Node) -> Shapes:
    data, indices = shape_of(node), shape_of(node, 1)
    taken = node.integer("batch_dims") + indices[-1]
    if taken > len(data):
        raise GraphError(f"{node}: indices {indices} reach beyond {data}")
    return ((*indices[:-1], *data[taken:]),)


@rule("TopK")
def _top_k(node: Node) -> Shapes:
    shape, axis = shape_of(node), node.integer("axis") % len(shape_of(node))
    kept = (*shape[:axis], node.integer("K"), *shape[axis + 1 :])
    if kept[axis] > shape[axis]:
        raise GraphError(f"{node}: K is {kept[axis]}, but axis {axis} has {shape[axis]} elements")
    return (kept,) * len(node.outputs)


@rule("YoloDetection")
def _yolo_detection(node: Node) -> Shapes:
    """All samples of one run share a table; in a widened graph each run keeps its own."""
    samples, top = shape_of(node)[0], node.integer("keep_topk")
    known = node.output.shape
    together = known[2] // top if len(known) == 4 and known[2] >= top else samples
    return ((samples // together, 1, together * top, 7),)


@rule("GridSampler")
def _grid_sampler(node: Node) -> Shapes:
    shape, grid = shape_of(node), shape_of(node, 1)
    return ((*shape[:2], *grid[1:-1]),)


@rule("RoiAlign")
def _roi_align(node: Node) -> Shapes:
    shape, rois = shape_of(node), shape_of(node, 1)
    if len(shape) != 4 or len(rois) != 2 or rois[1] != 5:
        raise GraphError(
            f"{node}: operands are {shape} and {rois}; "
            "expected pictures (N, C, H, W) and regions (R, 5)"
        )
    return ((rois[0], shape[1], node.integer("output_height"), node.integer("output_width")),)


@rule("Nms")
def _nms(node: Node) -> Shapes:
    """Rows for the most boxes that there can be."""
    boxes, scores = shape_of(node), shape_of(node, 1)
    fit = len(boxes) == len(scores) == 3 and boxes == (scores[0], scores[2], 4)
    if not fit:
        raise GraphError(
            f"{node}: operands are {boxes} and {scores}; expected boxes (N, B, 4) "
            "and scores (N, classes, B)"
        )
    kept = min(node.integer("max_output_size"), boxes[1])
    return ((scores[0] * scores[1] * kept, 3),)
