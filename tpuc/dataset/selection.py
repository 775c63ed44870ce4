"""Which files of a dataset are used: TPU-MLIR's choice, so that both tools see the same samples."""

from __future__ import annotations

import random
from pathlib import Path

from tpuc.dataset.picture import PICTURE_SUFFIXES
from tpuc.errors import DataError

__all__ = ["select_files"]

_SUFFIXES = (*PICTURE_SUFFIXES, ".npz", ".npy")
_SEED = 1684


def select_files(path: Path | None, listing: Path | None, num: int) -> list[tuple[Path, ...]]:
    """Files of each sample.

    A folder is searched recursively, sorted by path, shuffled with seed 1684, and cut to `num`. A list
    file has one sample a line (files of several inputs separated by commas) and keeps its order.

    Raises
    ------
    DataError : neither or both are given, a file is missing, or there is no sample
    """
    if (path is None) == (listing is None):
        raise DataError("dataset: give either dataset.path or dataset.list")
    if listing is not None:
        return _from_list(listing, num)
    assert path is not None
    if path.is_file():
        return [(path,)]
    if not path.is_dir():
        raise DataError(f"dataset.path: no such folder or file: {path}")
    found = [p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
    if not found:
        kinds = ", ".join(_SUFFIXES)
        raise DataError(f"dataset.path: {path} has no samples; expected files of type {kinds}")
    names = sorted(map(str, found))
    random.Random(_SEED).shuffle(names)
    return [(Path(n),) for n in (names[:num] if num > 0 else names)]


def _from_list(listing: Path, num: int) -> list[tuple[Path, ...]]:
    if not listing.is_file():
        raise DataError(f"dataset.list: no such file: {listing}")
    samples = []
    for number, line in enumerate(listing.read_text().splitlines(), 1):
        if not line.strip():
            continue
        files = tuple(_resolve(listing, part.strip()) for part in line.split(","))
        for file in files:
            if not file.is_file():
                raise DataError(f"{listing}, line {number}: no such file: {file}")
        samples.append(files)
    if not samples:
        raise DataError(f"dataset.list: {listing} names no sample")
    return samples[:num] if num > 0 else samples


def _resolve(listing: Path, name: str) -> Path:
    beside = listing.parent / name
    return beside if not Path(name).is_absolute() and beside.is_file() else Path(name)
