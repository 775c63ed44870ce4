"""Datasets: pictures, npy and npz files as batches of float32 arrays."""

from tpuc.dataset.samples import Batch, Samples, load_sample, open_samples
from tpuc.dataset.selection import select_files

__all__ = ["Batch", "Samples", "load_sample", "open_samples", "select_files"]
