"""The stage cache: results of stages, addressed by the content that they depend on.

    <folder>/<stage>/<sha256 of everything the stage read>/...files

An entry appears whole (a rename) or not at all, so a killed run and runs side by side are safe: the
worst that happens is that two runs compute the same entry and one of them wins.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tpuc.errors import ArtifactError
from tpuc.files import locked

__all__ = ["StageCache", "digest_file", "source_digest"]

_MARK = "complete.json"


def digest_file(path: Path) -> str:
    """sha256 of a file."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def source_digest() -> str:
    """sha256 of tpuc's own program files: a changed tpuc never meets an old entry."""
    root = Path(__file__).resolve().parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


class StageCache:
    """A folder of finished stages.

    Parameters
    ----------
    folder : Path, optional
        None turns the cache off: every stage computes into a folder of its own.
    scratch : Path
        Where results go when the cache is off.
    """

    def __init__(self, folder: Path | None, scratch: Path) -> None:
        self.folder = folder
        self.scratch = scratch
        self._source = source_digest() if folder else ""

    def key(self, stage: str, facts: Mapping[str, Any]) -> str:
        """Address of a stage's result."""
        text = json.dumps({"stage": stage, "source": self._source, **facts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def find(self, stage: str, facts: Mapping[str, Any]) -> Path | None:
        """Folder with a finished stage's files, if there is one."""
        if self.folder is None:
            return None
        entry = self.folder / stage / self.key(stage, facts)
        return entry if (entry / _MARK).is_file() else None

    def beside(self, stage: str, facts: Mapping[str, Any], name: str) -> Path:
        """A file that belongs to a stage's result and grows while it is being computed."""
        if self.folder is None:
            return self.scratch / stage / name
        return self.folder / stage / f"{self.key(stage, facts)}.{name}"

    def get(
        self, stage: str, facts: Mapping[str, Any], compute: Callable[[Path], None]
    ) -> tuple[Path, bool]:
        """Folder with a stage's files, and whether they were there already.

        Parameters
        ----------
        compute : callable
            Fills an empty folder with the stage's files.

        Raises
        ------
        ArtifactError : the cache folder can not be written
        """
        return self.get_one_of(stage, {"": facts}, "", lambda parts: compute(parts[""]))

    def get_one_of(
        self,
        stage: str,
        every: Mapping[str, Mapping[str, Any]],
        name: str,
        compute: Callable[[Mapping[str, Path]], None],
    ) -> tuple[Path, bool]:
        """Folder of one of several results that a single pass can make, as `get`.

        Runs side by side that could make the same results wait for the first of them.

        Parameters
        ----------
        every : mapping of str to facts
            What each result depends on.
        name : str
            The one that is wanted.
        compute : callable
            Fills an empty folder each for those that are missing, by name.

        Raises
        ------
        ArtifactError : the cache folder can not be written
        """
        if self.folder is None:
            place = self.scratch / stage
            place.mkdir(parents=True, exist_ok=True)
            compute({name: place})
            return place, False
        entry = self.folder / stage / self.key(stage, every[name])
        if (entry / _MARK).is_file():
            return entry, True
        keys = "".join(sorted(self.key(stage, facts) for facts in every.values()))
        lock = entry.with_name(f".{hashlib.sha256(keys.encode()).hexdigest()}.lock")
        try:
            with locked(lock):
                if (entry / _MARK).is_file():
                    return entry, True
                missing = {n: f for n, f in every.items() if not self.find(stage, f)}
                self._fill(stage, missing, compute)
        except OSError as error:
            raise ArtifactError(
                f"cache: {self.folder} can not be written ({error.strerror or error}). "
                "Hint: cache=FOLDER, or cache=null"
            ) from error
        return entry, False

    def _fill(
        self,
        stage: str,
        every: Mapping[str, Mapping[str, Any]],
        compute: Callable[[Mapping[str, Path]], None],
    ) -> None:
        assert self.folder is not None
        entries = {n: self.folder / stage / self.key(stage, f) for n, f in every.items()}
        mine = f"{os.getpid()}.{os.urandom(4).hex()}"
        parts = {n: entry.with_name(f".{entry.name}.{mine}") for n, entry in entries.items()}
        try:
            for part in parts.values():
                part.mkdir(parents=True)
            compute(parts)
            for name, part in parts.items():
                said = {k: str(v)[:200] for k, v in every[name].items()}
                (part / _MARK).write_text(json.dumps(said))
                _publish(part, entries[name])
        finally:
            for part in parts.values():
                if part.exists():
                    shutil.rmtree(part, ignore_errors=True)


def _publish(part: Path, entry: Path) -> None:
    try:
        part.rename(entry)
    except OSError:  # another run was first; its entry has the same content
        if not (entry / _MARK).is_file():
            raise
