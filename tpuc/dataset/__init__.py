"""Datasets: pictures, npy and npz files as batches of float32 arrays."""

from tpuc.dataset.coco import read_coco
from tpuc.dataset.drawing import draw_boxes, draw_lines, encode
from tpuc.dataset.labels import find_labels, read_classes
from tpuc.dataset.picture import placed, preprocess_picture, read_picture
from tpuc.dataset.samples import Batch, Sample, Samples, load_sample, open_samples
from tpuc.dataset.selection import select_files

__all__ = [
    "Batch",
    "Sample",
    "Samples",
    "draw_boxes",
    "draw_lines",
    "encode",
    "find_labels",
    "load_sample",
    "open_samples",
    "placed",
    "preprocess_picture",
    "read_classes",
    "read_coco",
    "read_picture",
    "select_files",
]
