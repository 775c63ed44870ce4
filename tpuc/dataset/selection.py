"""Which files of a dataset are used: TPU-MLIR's choice, so that both tools see the same samples."""

from __future__ import annotations

import random
from pathlib import Path

from tpuc.dataset.picture import PICTURE_SUFFIXES
from tpuc.errors import DataError

__all__ = ["select_files"]

_SUFFIXES = (*PICTURE_SUFFIXES, ".npz", ".npy")
_SEED = 1684


def select_files(path: Path | None, listing: Path | None, num: int = 0) -> list[tuple[Path, ...]]:
    """Files of each sample.

    A folder is searched recursively, sorted by path, shuffled with seed 1684, and cut to `num`. A
    list file has one sample a line (files of several inputs separated by commas) and keeps its
    order; names are relative to the list file, or to the working folder. A single file stands for
    itself: a picture, or a set of samples (`open_samples`).

    Parameters
    ----------
    path, listing : Path or None
        Exactly one of them.
    num : int
        How many at most; 0: all.

    Raises
    ------
    DataError : neither or both are given, a file is missing, kinds are mixed, or there is no sample
    """
    if (path is None) == (listing is None):
        raise DataError("dataset: give either dataset.path or dataset.list")
    if listing is not None:
        samples = _from_list(listing)
    else:
        assert path is not None
        samples = [(path,)] if path.is_file() else _from_folder(path)
    return samples[:num] if num > 0 else samples


def _from_folder(path: Path) -> list[tuple[Path, ...]]:
    if not path.is_dir():
        raise DataError(f"dataset.path: no such folder or file: {path}")
    found = [p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
    if not found:
        kinds = ", ".join(_SUFFIXES)
        raise DataError(f"dataset.path: {path} has no samples; expected files of type {kinds}")
    names = sorted(map(str, found))
    _check_kinds([(Path(n),) for n in names], f"dataset.path: {path}")
    random.Random(_SEED).shuffle(names)
    return [(Path(n),) for n in names]


def _from_list(listing: Path) -> list[tuple[Path, ...]]:
    if not listing.is_file():
        raise DataError(f"dataset.list: no such file: {listing}")
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"dataset.list: {listing} is not a text file; expected one sample a line. "
            "Hint: dataset.path takes pictures, npy and npz files"
        ) from error
    samples = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        files = tuple(_resolve(listing, part.strip()) for part in line.split(","))
        for file in files:
            if not file.is_file():
                raise DataError(f"dataset.list: {listing}, line {number}: no such file: {file}")
            if file.suffix.lower() not in _SUFFIXES:
                raise DataError(
                    f"dataset.list: {listing}, line {number}: unknown type '{file.suffix}' of "
                    f"{file}; expected one of {', '.join(_SUFFIXES)}"
                )
        samples.append(files)
    if not samples:
        raise DataError(f"dataset.list: {listing} names no sample")
    _check_kinds(samples, f"dataset.list: {listing}")
    return samples


def _resolve(listing: Path, name: str) -> Path:
    beside = listing.parent / name
    return beside if beside.is_file() else Path(name)


def _check_kinds(samples: list[tuple[Path, ...]], where: str) -> None:
    example: dict[str, Path] = {}
    for file in (f for sample in samples for f in sample):
        suffix = file.suffix.lower()
        example.setdefault("picture" if suffix in PICTURE_SUFFIXES else suffix[1:], file)
    if len(example) > 1:
        named = ", ".join(f"{kind} ({file.name})" for kind, file in example.items())
        raise DataError(f"{where} mixes kinds of files: {named}; expected one kind")
