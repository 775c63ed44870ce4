"""Samples in npy and npz files: one sample a file, or a set of them along the first axis."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from tpuc.errors import DataError
from tpuc.ir import Node

__all__ = ["LABELS", "read_feed", "read_labels", "rows_of"]

LABELS = "labels"
"""Key of the class numbers in an npz file."""


def read_feed(
    files: tuple[Path, ...], inputs: tuple[Node, ...], row: int | None = None
) -> dict[str, np.ndarray]:
    """Arrays of one sample, float32, by input.

    Parameters
    ----------
    files : tuple of Path
        One npz file with an array for each input, or one npy file for each input.
    row : int, optional
        Which sample of a set.

    Raises
    ------
    DataError : a file is damaged, or an array has a wrong key, shape, type or a value that is not
        finite
    """
    feed = {}
    for node, (array, where) in zip(inputs, _sources(files, inputs)):
        if row is not None:
            array, where = array[row : row + 1], f"{where}, sample {row}"
        feed[node.name] = _checked(array, node, where)
    return feed


def rows_of(files: tuple[Path, ...], inputs: tuple[Node, ...]) -> int | None:
    """How many samples a set holds; None if the files are a single sample.

    Raises
    ------
    DataError : the inputs have different numbers of samples, or a file is damaged
    """
    counts: dict[str, int] = {}
    for node, (array, where) in zip(inputs, _sources(files, inputs)):
        shape = node.output.shape
        if not shape or array.shape[1:] != shape[1:] or array.shape[:1] in ((), shape[:1]):
            return None
        counts[where] = array.shape[0]
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise DataError(f"{files[0]}: different or no numbers of samples: {counts}")
    return next(iter(counts.values()), None)


def read_labels(file: Path) -> np.ndarray | None:
    """Class numbers in an npz file, int64 (N,); None if it has none.

    Raises
    ------
    DataError : they are not whole numbers, or the file is damaged
    """
    if file.suffix.lower() != ".npz":
        return None
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if LABELS not in archive.files:
                return None
            labels = archive[LABELS].reshape(-1)
    except Exception as error:  # zipfile and numpy raise many types for damaged files
        raise DataError(f"{file}: not an npz file, or damaged ({error})") from error
    if labels.dtype.kind not in "iu":
        raise DataError(f"{file}: '{LABELS}' has type {labels.dtype}; expected whole numbers")
    return labels.astype(np.int64)


def _sources(files: tuple[Path, ...], inputs: tuple[Node, ...]) -> list[tuple[np.ndarray, str]]:
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        arrays = _load(files[0])
        missing = [n.name for n in inputs if n.name not in arrays]
        if missing:
            raise DataError(
                f"{files[0]}: has no array '{missing[0]}'; it has {sorted(arrays)}; "
                f"expected {[n.name for n in inputs]}"
            )
        return [(arrays[n.name], f"{files[0]}: '{n.name}'") for n in inputs]
    return [(_load(file)[""], str(file)) for file in files]


def _load(file: Path) -> Mapping[str, np.ndarray]:
    try:
        state = file.stat()
    except OSError as error:
        raise DataError(f"{file}: can not be read ({error.strerror})") from error
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)  # rows of a set are read one after the other
def _read(file: Path, _mtime: int, _size: int) -> Mapping[str, np.ndarray]:
    kind = file.suffix.lower()[1:]
    try:
        with file.open("rb") as stream:
            if kind == "npy":
                return {"": np.lib.format.read_array(stream, allow_pickle=False)}
            with np.load(stream, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
                if odd := [k for k, a in arrays.items() if not isinstance(a, np.ndarray)]:
                    raise ValueError(f"'{odd[0]}' is no array")
                return arrays
    except Exception as error:  # zipfile and numpy raise many types for damaged files
        raise DataError(f"{file}: not an {kind} file, or damaged ({error})") from error


def _checked(array: np.ndarray, node: Node, where: str) -> np.ndarray:
    shape = node.output.shape
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: type {array.dtype}; expected numbers")
    if array.shape == shape[1:]:
        array = array[None]
    if array.shape not in (shape, (1, *shape[1:])):
        raise DataError(f"{where}: shape {array.shape}; expected {shape}")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"{where}: has NaN or infinite values")
    return x
