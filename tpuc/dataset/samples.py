"""Samples as batches of float32 arrays, read ahead by a few threads, never all in memory."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from tpuc.dataset.arrays import read_feed, read_labels, rows_of
from tpuc.dataset.memory import Memory
from tpuc.dataset.picture import PICTURE_SUFFIXES, preprocess_picture, read_picture
from tpuc.dataset.places import Places, check_places, find_places
from tpuc.errors import DataError
from tpuc.ir import Graph, Node

__all__ = ["Batch", "Sample", "Samples", "load_sample", "open_samples"]

Batch = dict[str, np.ndarray]

_THREADS = 2


@dataclass(frozen=True)
class Sample:
    """Where one sample is: its files (one, or one for each input), and its row in a set."""

    files: tuple[Path, ...]
    row: int | None = None

    def __str__(self) -> str:
        names = ", ".join(f.name for f in self.files)
        return names if self.row is None else f"{names}, sample {self.row}"


@dataclass(frozen=True)
class Samples(Sequence[Sample]):
    """An ordered set of samples for the inputs of one graph.

    Parameters
    ----------
    items : tuple of Sample
    inputs : tuple of Node
        Input ops, whose attributes say how pictures are preprocessed.
    places : tuple of Places
        Inputs that are rows of a table.
    memory : Memory
        What was read; smaller sets share it.
    """

    items: tuple[Sample, ...]
    inputs: tuple[Node, ...]
    places: tuple[Places, ...] = ()
    memory: Memory[Sample] = field(default_factory=Memory, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        """A sample, or for a slice a smaller set."""
        if isinstance(index, slice):
            return Samples(self.items[index], self.inputs, self.places, self.memory)
        return self.items[index]

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """sha256 of each sample's bytes (and its row): its identity, whatever its name."""
        known: dict[Path, bytes] = {}
        return tuple(_digest(item, known) for item in self.items)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """Class numbers, int64 (len(self),), from key `labels` of npz files; None if any has none.

        Raises
        ------
        DataError : a file has more or fewer labels than samples
        """
        known: dict[Path, np.ndarray | None] = {}
        found = []
        for item in self.items:
            file = item.files[0]
            if file not in known:
                known[file] = read_labels(file)
            labels = known[file]
            if labels is None:
                return None
            row = item.row or 0
            if row >= labels.size or (item.row is None and labels.size > 1):
                raise DataError(f"{item}: the file has {labels.size} labels; expected one a sample")
            found.append(int(labels[row]))
        return np.array(found, np.int64)

    def batches(self, size: int) -> Iterator[Batch]:
        """Consecutive samples joined along the first axis, `size` runs of the network at a time.

        The last batch may be smaller. A network compiled for a batch of b takes b samples in one
        run; the very last sample is repeated to fill it.
        """
        compiled = _rows(self.inputs)
        part: list[Batch] = []
        count = 0
        for feed in self._loaded(2 * size * compiled):
            part.append(feed)
            count += _leading(feed)
            if count >= size * compiled:
                yield _join(part)
                part, count = [], 0
        if part:
            while count % compiled:
                part.append(part[-1])
                count += _leading(part[-1])
            yield _join(part)

    def _loaded(self, ahead: int) -> Iterator[Batch]:
        waiting = iter(self.items)
        queue: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            try:
                for item in itertools.islice(waiting, max(ahead, _THREADS)):
                    queue.append(pool.submit(self._load, item))
                while queue:
                    feed = queue.popleft().result()
                    for item in itertools.islice(waiting, 1):
                        queue.append(pool.submit(self._load, item))
                    yield feed
            finally:  # of a consumer that stops early, too
                for future in queue:
                    future.cancel()

    def _load(self, item: Sample) -> Batch:
        return self.memory.get(item, lambda: self._read(item))

    def _read(self, item: Sample) -> Batch:
        feed = _load(item, self.inputs)
        check_places(feed, self.places, item)
        return feed


def open_samples(files: Sequence[tuple[Path, ...]], graph: Graph, num: int = 0) -> Samples:
    """Bind files to a graph's inputs.

    Parameters
    ----------
    files : sequence of tuple of Path
        Files of each sample (`select_files`). A single npz or npy file may hold a set: arrays with
        more rows along the first axis than the graph's inputs, and class numbers under `labels`.
    num : int
        How many samples at most; 0: all.

    Raises
    ------
    DataError : a number of files does not fit the inputs, or a network that takes no pictures is
        given one
    """
    inputs = tuple(n for n in graph.nodes if n.op == "Input")
    for sample in files:
        _check(sample, inputs)
    items = [Sample(f) for f in files]
    if len(files) == 1 and files[0][0].suffix.lower() not in PICTURE_SUFFIXES:
        count = rows_of(files[0], inputs)
        if count is not None:
            items = [Sample(files[0], row) for row in range(count)]
    return Samples(tuple(items[:num] if num > 0 else items), inputs, find_places(graph))


def load_sample(files: tuple[Path, ...], inputs: tuple[Node, ...]) -> Batch:
    """One run of the network from one sample, which is repeated to fill a compiled batch.

    Raises
    ------
    DataError : a file is damaged, or an array has a wrong key, shape, type or a value that is not
        finite
    """
    _check(files, inputs)
    feed = _load(Sample(files), inputs)
    return _join([feed] * (_rows(inputs) // _leading(feed)))


def _check(files: tuple[Path, ...], inputs: tuple[Node, ...]) -> None:
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        return
    names = ", ".join(n.name for n in inputs)
    if len(files) != len(inputs):
        raise DataError(
            f"{', '.join(map(str, files))}: {len(files)} file(s) for {len(inputs)} inputs "
            f"({names}); expected npz files with these keys, or a list with "
            f"{len(inputs)} files a line. Hint: dataset.list"
        )
    for file, node in zip(files, inputs):
        if file.suffix.lower() == ".npy":
            continue
        if file.suffix.lower() not in PICTURE_SUFFIXES:
            raise DataError(f"{file}: unknown type; expected a picture, npy or npz")
        if not node.attrs.get("pixel_format"):
            raise DataError(
                f"{file}: input '{node.name}' of shape {node.output.shape} takes no pictures; "
                "expected npz. Hint: model.preprocess.channel_format, model.preprocess.pixel_format"
            )


def _load(sample: Sample, inputs: tuple[Node, ...]) -> Batch:
    if sample.files[0].suffix.lower() not in PICTURE_SUFFIXES:
        return read_feed(sample.files, inputs, sample.row)
    return {node.name: _picture(file, node) for file, node in zip(sample.files, inputs)}


def _picture(file: Path, node: Node) -> np.ndarray:
    if file.suffix.lower() not in PICTURE_SUFFIXES:
        return read_feed((file,), (node,))[node.name]
    shape = node.output.shape
    size = shape[1:3] if node.attrs["channel_format"] == "nhwc" else shape[2:]
    picture = read_picture(file, str(node.attrs["pixel_format"]))
    try:
        return preprocess_picture(picture, node.attrs, (size[0], size[1]))
    except DataError as error:
        raise DataError(f"{file}: {error}") from error


def _digest(sample: Sample, known: dict[Path, bytes]) -> str:
    total = hashlib.sha256()
    for file in sample.files:
        if file not in known:
            known[file] = hashlib.sha256(file.read_bytes()).digest()
        total.update(known[file])
    if sample.row is not None:
        total.update(str(sample.row).encode())
    return total.hexdigest()


def _rows(inputs: tuple[Node, ...]) -> int:
    """Batch that the network was compiled for; 1 if its inputs do not share a first axis."""
    sizes = {n.output.shape[0] if n.output.shape else 1 for n in inputs}
    return sizes.pop() if len(sizes) == 1 else 1


def _leading(feed: Batch) -> int:
    return min((a.shape[0] for a in feed.values() if a.ndim), default=1)


def _join(part: list[Batch]) -> Batch:
    """A batch of its own: samples in memory stay as they are, whatever becomes of it."""
    if len(part) == 1:
        return {k: a.copy() for k, a in part[0].items()}
    return {k: np.concatenate([p[k] for p in part]) for k in part[0]}
