"""evaluation.task=detection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tpuc.dataset import draw_boxes, encode, open_samples, placed, read_coco, read_picture
from tpuc.errors import ConfigError, DataError
from tpuc.evaluation.boxes import Letterbox
from tpuc.evaluation.detection import Detection, Limits, require_pycocotools
from tpuc.evaluation.tasks import TaskResult
from tpuc.ir import Graph, Node
from tpuc.pipeline.tasks.opened import Opened, OpenInputs

__all__ = ["input_size", "open_detection", "picture_input", "place_of"]

_SHOWN = 0.25  # least score of a box that is drawn


def open_detection(inputs: OpenInputs) -> Opened:
    """Pictures with the boxes that are in them.

    Raises
    ------
    ConfigError : pycocotools is missing, or the network takes no pictures
    DataError : annotations are damaged, or do not fit the folder
    """
    require_pycocotools()
    config = inputs.job.evaluation
    file, folder = inputs.path("annotations"), inputs.path("path")
    assert file is not None and folder is not None
    if file.is_dir():
        file = file / "annotations.json"
    truth, paths = read_coco(file, folder, config.task_num)
    node = picture_input(inputs.graph)
    samples = open_samples([(p,) for p in paths], inputs.graph)
    places = [place_of(node, (image["width"], image["height"])) for image in truth["images"]]
    limits = Limits(config.min_score, config.max_iou, config.max_boxes)
    task = Detection(truth, places, input_size(node), limits)
    shown = paths[: config.pictures]
    _check_sizes(shown, truth["images"])
    return Opened(task, samples, lambda result: _draw(task, shown, result))


def picture_input(graph: Graph) -> Node:
    """The input that takes pictures.

    Raises
    ------
    ConfigError : there is none
    """
    for node in graph.nodes:
        if node.op == "Input" and node.attrs.get("pixel_format"):
            return node
    raise ConfigError(
        "evaluation.task=detection: no input of the network takes pictures; expected [1, 3, H, W]. "
        "Hint: model.preprocess.pixel_format, model.preprocess.channel_format"
    )


def input_size(node: Node) -> tuple[int, int]:
    """Height and width of an input."""
    shape = node.output.shape
    size = shape[1:3] if node.attrs["channel_format"] == "nhwc" else shape[2:]
    return size[0], size[1]


def place_of(node: Node, size: tuple[int, int]) -> Letterbox:
    """How a picture of (width, height) lies in the input."""
    scale, shift = placed(size, node.attrs, input_size(node))
    return Letterbox(scale, shift, size)


def _check_sizes(paths: list[Path], images: list[dict[str, int]]) -> None:
    for path, image in zip(paths, images):
        height, width = read_picture(path, "bgr").shape[:2]
        if (width, height) != (image["width"], image["height"]):
            raise DataError(
                f"{path}: {width}x{height} pixels; evaluation.annotations says "
                f"{image['width']}x{image['height']}"
            )


def _draw(task: Detection, files: list[Path], result: TaskResult) -> Mapping[str, bytes]:
    """The first pictures with the boxes of each build."""
    drawn = {}
    for index, file in enumerate(files):
        picture = read_picture(file, "bgr")
        for build, records in result.records.items():
            boxes = [row for row in records[index]["boxes"] if row[4] >= _SHOWN]
            canvas = draw_boxes(picture, boxes, task.names, build)
            drawn[f"detection_{index}_{build}.jpg"] = encode(canvas)
    return drawn
