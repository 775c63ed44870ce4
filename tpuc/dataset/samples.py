"""Samples as batches of float32 arrays, read ahead by a few threads, never all in memory."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tpuc.dataset.picture import PICTURE_SUFFIXES, preprocess_picture, read_picture
from tpuc.errors import DataError
from tpuc.ir import Graph, Node

__all__ = ["Batch", "Samples", "load_sample", "open_samples"]

Batch = dict[str, np.ndarray]

_THREADS = 2


@dataclass(frozen=True)
class Samples:
    """An ordered set of samples for the inputs of one graph.

    Parameters
    ----------
    files : tuple of tuples of Path
        Files of each sample: one, or one for each input.
    inputs : tuple of Node
        Input ops, whose attributes say how pictures are preprocessed.
    """

    files: tuple[tuple[Path, ...], ...]
    inputs: tuple[Node, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: slice) -> Samples:
        return Samples(self.files[index], self.inputs)

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """sha256 of each sample's bytes: its identity, whatever its name."""
        return tuple(_digest(f) for f in self.files)

    def batches(self, size: int) -> Iterator[Batch]:
        """Consecutive samples joined along the first axis, `size` at a time (the last may be fewer)."""
        ahead: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(_THREADS, initializer=_single_thread) as pool:
            waiting = iter(self.files)
            for files in waiting:
                ahead.append(pool.submit(load_sample, files, self.inputs))
                if len(ahead) >= 2 * size:
                    break
            part: list[Batch] = []
            while ahead:
                part.append(ahead.popleft().result())
                following = next(waiting, None)
                if following is not None:
                    ahead.append(pool.submit(load_sample, following, self.inputs))
                if len(part) == size:
                    yield _join(part)
                    part = []
            if part:
                yield _join(part)


_once = threading.local()


def _single_thread() -> None:
    import cv2

    if not getattr(_once, "set", False):
        cv2.setNumThreads(1)  # the pool is the parallelism
        _once.set = True


def _digest(files: tuple[Path, ...]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _join(part: list[Batch]) -> Batch:
    return {k: np.concatenate([p[k] for p in part]) for k in part[0]}


def open_samples(files: list[tuple[Path, ...]], graph: Graph) -> Samples:
    """Bind files to a graph's inputs.

    Raises
    ------
    DataError : a network with several inputs is given pictures, or a number of files that does not fit
    """
    inputs = tuple(n for n in graph.nodes if n.op == "Input")
    for sample in files:
        npz = len(sample) == 1 and sample[0].suffix == ".npz"
        if not npz and len(sample) != len(inputs):
            raise DataError(
                f"{sample[0]}: one file for {len(inputs)} inputs "
                f"({', '.join(n.name for n in inputs)}); expected npz files with these keys"
            )
    return Samples(tuple(files), inputs)


def load_sample(files: tuple[Path, ...], inputs: tuple[Node, ...]) -> Batch:
    """Read one sample.

    Raises
    ------
    DataError : a file is damaged, or an array has a wrong key, shape, type or a value that is not finite
    """
    if len(files) == 1 and files[0].suffix == ".npz":
        return _from_npz(files[0], inputs)
    return {node.name: _one(file, node) for file, node in zip(files, inputs)}


def _one(file: Path, node: Node) -> np.ndarray:
    if file.suffix == ".npy":
        try:
            array = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{file}: not an npy file, or damaged ({error})") from error
        return _checked(array, node, str(file))
    if file.suffix.lower() not in PICTURE_SUFFIXES:
        raise DataError(f"{file}: unknown type; expected a picture, npy or npz")
    if not node.attrs.get("do_preprocess"):
        raise DataError(
            f"{file}: input '{node.name}' of shape {node.output.shape} takes no pictures; "
            "expected npz. Hint: model.preprocess.channel_format, model.preprocess.pixel_format"
        )
    shape = node.output.shape
    size = shape[1:3] if node.attrs["channel_format"] == "nhwc" else shape[2:]
    attrs = {**node.attrs, "size": size}
    x = preprocess_picture(read_picture(file, str(node.attrs["pixel_format"])), attrs)
    return np.repeat(x, shape[0], axis=0) if shape[0] > 1 else x


def _from_npz(file: Path, inputs: tuple[Node, ...]) -> Batch:
    try:
        with np.load(file, allow_pickle=False) as archive:
            keys = archive.files
            missing = [n.name for n in inputs if n.name not in keys]
            if missing:
                raise DataError(f"{file}: has no array '{missing[0]}'; it has {sorted(keys)}")
            return {n.name: _checked(archive[n.name], n, f"{file}: '{n.name}'") for n in inputs}
    except DataError:
        raise
    except Exception as error:  # zipfile and numpy raise many types for damaged archives
        raise DataError(f"{file}: not an npz file, or damaged ({error})") from error


def _checked(array: np.ndarray, node: Node, where: str) -> np.ndarray:
    shape = node.output.shape
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: type {array.dtype}; expected numbers")
    if array.shape == shape[1:] and shape[0] == 1:
        array = array[None]
    if array.shape != shape:
        raise DataError(f"{where}: shape {array.shape}; expected {shape}")
    x = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"{where}: has NaN or infinite values")
    return x
