"""Right classes of samples: from npz files, from a list of files and classes, or from names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tpuc.dataset.samples import Samples
from tpuc.errors import DataError

__all__ = ["find_labels", "read_classes"]


def read_classes(file: Path) -> list[str]:
    """Names of the classes, one a line; line number - 1 is the class's number.

    Raises
    ------
    DataError : the file is no text, or names no class
    """
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"evaluation.classes: {file} is no text file; expected one class a line"
        ) from error
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError(f"evaluation.classes: {file} names no class")
    return names


def find_labels(samples: Samples, listing: Path | None, classes: Sequence[str]) -> np.ndarray:
    """Class number of each sample, int64 (N,).

    In this order: `listing` (lines `FILE,CLASS` or `FILE CLASS`), the key `labels` of npz files,
    the names of folders and files. CLASS is a number, a class's name, or its first word (as in
    ImageNet's `n01440764 tench, Tinca tinca`).

    Raises
    ------
    DataError : a sample has no class, or one that `classes` does not have
    """
    known = _numbers(classes)
    if listing is not None:
        return _listed(samples, listing, known)
    if samples.labels is not None:
        return samples.labels
    return _named(samples, known)


def _numbers(classes: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, name in enumerate(classes):
        found.setdefault(name, number)
    for number, name in enumerate(classes):
        found.setdefault(name.split(maxsplit=1)[0] if name else "", number)
    found.pop("", None)
    return found


def _number(word: str, known: dict[str, int]) -> int | None:
    if word in known:
        return known[word]
    return int(word) if word.isascii() and word.isdigit() else None


def _listed(samples: Samples, listing: Path, known: dict[str, int]) -> np.ndarray:
    classes: dict[str, int] = {}
    for where, name, word in _lines(listing):
        number = _number(word, known)
        if number is None:
            raise DataError(
                f"evaluation.labels: {where}: no class '{word}'; expected a number, or a name "
                "in evaluation.classes"
            )
        classes[name] = number
    missing = [str(s) for s in samples if _key(s.files[0], classes) is None]
    if missing:
        raise DataError(
            f"evaluation.labels: {listing} has no line for {len(missing)} of {len(samples)} "
            f"samples, the first is '{missing[0]}'; expected lines FILE,CLASS"
        )
    return np.array([classes[str(_key(s.files[0], classes))] for s in samples], np.int64)


def _key(file: Path, classes: dict[str, int]) -> str | None:
    """How the list calls a file: the end of its path, with as many folders as the list gives."""
    parts = file.parts
    names = ("/".join(parts[-n:]) for n in range(1, len(parts) + 1))
    return next((n for n in names if n in classes), None)


def _lines(listing: Path) -> list[tuple[str, str, str]]:
    try:
        text = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"evaluation.labels: {listing} is no text file; expected lines FILE,CLASS"
        ) from error
    found: list[tuple[str, str, str]] = []
    for number, line in enumerate(text, 1):
        where = f"{listing}, line {number}"
        if not line.strip():
            continue
        cells = next(csv.reader([line])) if "," in line else line.rsplit(maxsplit=1)
        if len(cells) != 2:
            raise DataError(f"evaluation.labels: {where}: '{line}'; expected FILE,CLASS")
        name, word = (c.strip() for c in cells)
        header = not found and Path(name).suffix == "" and not word.isdigit()
        if not header:
            found.append((where, name, word))
    return found


def _named(samples: Samples, known: dict[str, int]) -> np.ndarray:
    """Classes from the names of files (before `_`) or folders; folders in order without a list."""
    files = [s.files[0] for s in samples]
    if not known:
        folders = sorted({f.parent for f in files})
        names = sorted({f.name for f in folders})
        if len(names) < 2 or len({f.parent for f in folders}) > 1:
            raise DataError(
                f"evaluation: no classes are known for {files[0]}. Hint: evaluation.labels=FILE "
                "(lines FILE,CLASS), evaluation.classes=FILE, or one folder for each class"
            )
        counted = all(n.isascii() and n.isdigit() for n in names)
        known = {name: int(name) if counted else i for i, name in enumerate(names)}
    found = []
    for file in files:
        words = (file.parent.name, file.stem.split("_")[0], file.stem)
        numbers = [known[w] for w in words if w in known]
        if not numbers:
            raise DataError(
                f"{file}: neither its folder '{file.parent.name}' nor its name begins with a "
                f"class of evaluation.classes ({len(known)} are known). "
                "Hint: evaluation.labels=FILE, lines FILE,CLASS"
            )
        found.append(numbers[0])
    return np.array(found, np.int64)
