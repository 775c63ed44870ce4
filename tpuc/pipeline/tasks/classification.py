"""evaluation.task=classification."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tpuc.dataset import draw_lines, encode, find_labels, read_classes, read_picture
from tpuc.dataset.picture import PICTURE_SUFFIXES
from tpuc.errors import DataError
from tpuc.evaluation.classification import Classification
from tpuc.evaluation.tasks import TaskResult
from tpuc.pipeline.tasks.opened import Opened, OpenInputs

__all__ = ["open_classification"]


def open_classification(inputs: OpenInputs) -> Opened:
    """Samples with their classes.

    Raises
    ------
    DataError : a sample has no class, or one that the network does not have
    """
    samples = inputs.samples()
    file = inputs.path("classes")
    classes = read_classes(file) if file is not None else []
    labels = find_labels(samples, inputs.path("labels"), classes)
    size = inputs.graph.outputs[0].size // inputs.graph.outputs[0].shape[0]
    if len(labels) and not 0 <= labels.max() < size:
        sample = samples[int(labels.argmax())]
        raise DataError(
            f"{sample}: class {labels.max()}; expected 0 to {size - 1}, as the network has "
            f"{size} classes. Hint: evaluation.labels, evaluation.classes"
        )
    task = Classification([str(s) for s in samples], labels, classes)
    files = [s.files[0] for s in samples[: inputs.job.evaluation.pictures]]
    return Opened(task, samples, lambda result: _draw(task, files, result))


def _draw(task: Classification, files: list[Path], result: TaskResult) -> Mapping[str, bytes]:
    """The first pictures with the five best classes of each build."""
    drawn = {}
    for index, file in enumerate(files):
        if file.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        for build, records in result.records.items():
            picture = read_picture(file, "bgr")
            lines = task.lines(records[index])
            name = f"classification_{index}_{build}.jpg"
            drawn[name] = encode(draw_lines(picture, [f"{build}: {lines[0]}", *lines[1:]]))
    return drawn
