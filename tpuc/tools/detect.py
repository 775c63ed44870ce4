"""tpuc-tool detect: the boxes of one picture, from a bmodel."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tpuc.errors import DataError
from tpuc.files import write_whole

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "find objects in a picture with a bmodel"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bmodel", type=Path, help="file written by tpuc")
    parser.add_argument("--input", type=Path, required=True, help="picture")
    parser.add_argument("--classes", type=Path, help="names of the classes, one a line")
    parser.add_argument("--min-score", type=float, default=0.25, help="default: 0.25")
    parser.add_argument("--max-iou", type=float, default=0.6, help="default: 0.6")
    parser.add_argument("--output", type=Path, help="JPEG file: the picture with the boxes")


def execute(args: argparse.Namespace) -> int:
    """Detect.

    Raises
    ------
    ArtifactError, DataError : the bmodel, the picture or the names can not be used
    """
    from tpuc.dataset import draw_boxes, encode, load_sample, read_classes, read_picture
    from tpuc.evaluation.boxes import decode, suppress, to_picture
    from tpuc.pipeline import load
    from tpuc.pipeline.tasks.detection import input_size, picture_input, place_of

    if not args.input.is_file():
        raise DataError(f"--input: no such file: {args.input}")
    model = load(args.bmodel)
    graph = model.bmodel.graph
    node = picture_input(graph)
    inputs = tuple(n for n in graph.nodes if n.op == "Input")
    outputs = list(model.run(dict(load_sample((args.input,), inputs)), dequantize=True).values())
    names = read_classes(args.classes) if args.classes is not None else _numbers(outputs)
    picture = read_picture(args.input, "bgr")
    (found,) = decode(outputs, len(names), input_size(node), args.min_score)
    kept = suppress(found, args.max_iou, 300)
    boxes = to_picture(kept, place_of(node, (picture.shape[1], picture.shape[0]))).tolist()
    for *corners, score, kind in boxes:
        place = " ".join(f"{v:8.1f}" for v in corners)
        print(f"{score:.3f} {place}  {_name(names, kind)}")
    print(f"{len(boxes)} objects")
    if args.output is not None:
        write_whole(args.output, encode(draw_boxes(picture, boxes, _all(names, boxes))))
    return 0


def _name(names: Sequence[str], kind: float) -> str:
    return names[int(kind)] if int(kind) < len(names) else str(int(kind))


def _all(names: Sequence[str], boxes: Sequence[Sequence[float]]) -> list[str]:
    most = max((int(row[5]) + 1 for row in boxes), default=0)
    return [_name(names, kind) for kind in range(max(most, len(names)))]


def _numbers(outputs: Sequence[np.ndarray]) -> list[str]:
    """Numbers instead of names, as many as the outputs have classes."""
    shape = outputs[0].shape
    if len(shape) == 3:
        # boxes are many, classes few: (B, 4 + C, N) or (B, N, 5 + C)
        count = shape[1] - 4 if shape[1] < shape[2] else shape[2] - 5
    elif len(shape) == 5:
        count = shape[4] - 5
    else:
        count = shape[1] // 3 - 5
    return [str(kind) for kind in range(max(count, 1))]
