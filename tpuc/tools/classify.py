"""tpuc-tool classify: the five best classes of one picture, from a bmodel."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tpuc.errors import DataError
from tpuc.files import write_whole

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "classify a picture with a bmodel"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bmodel", type=Path, help="file written by tpuc")
    parser.add_argument("--input", type=Path, required=True, help="picture")
    parser.add_argument("--classes", type=Path, help="names of the classes, one a line")
    parser.add_argument("--output", type=Path, help="JPEG file: the picture with the best five")


def execute(args: argparse.Namespace) -> int:
    """Classify.

    Raises
    ------
    ArtifactError, DataError : the bmodel, the picture or the names can not be used
    """
    from tpuc.dataset import draw_lines, encode, load_sample, read_classes, read_picture
    from tpuc.evaluation.classification import Classification
    from tpuc.pipeline import load

    if not args.input.is_file():
        raise DataError(f"--input: no such file: {args.input}")
    names = read_classes(args.classes) if args.classes is not None else []
    model = load(args.bmodel)
    inputs = tuple(n for n in model.bmodel.graph.nodes if n.op == "Input")
    feeds = dict(load_sample((args.input,), inputs))
    outputs = list(model.run(feeds, dequantize=True).values())
    task = Classification([args.input.name], np.zeros(1, np.int64), names)
    lines = task.lines(task.read(0, outputs)[0])
    print("\n".join(lines))
    if args.output is not None:
        write_whole(args.output, encode(draw_lines(read_picture(args.input, "bgr"), lines)))
    return 0
