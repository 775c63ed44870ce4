"""Finished trials, a line each: a search that was stopped goes on after its last one.

    {"key": "<sha256 of what was tried>", "cos": 0.9993, "snr": 0.0021, ...}

Lines are written as soon as a trial is finished. A line cut short by a kill is ignored.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tpuc.errors import ArtifactError

__all__ = ["Journal"]


class Journal:
    """An append-only file of trials.

    Parameters
    ----------
    path : Path, optional
        None: kept in memory only.

    Attributes
    ----------
    replayed : int
        Trials that were found in the file instead of being run.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.replayed = 0
        self._known: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut short
            if isinstance(row, dict) and isinstance(row.get("key"), str):
                self._known[row["key"]] = row

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: str) -> dict[str, Any] | None:
        """The trial with this key, if it was finished before."""
        return self._known.get(key)

    def add(self, key: str, row: dict[str, Any]) -> None:
        """Remember a finished trial.

        Raises
        ------
        ArtifactError : the file can not be written
        """
        row = {"key": key, **row}
        self._known[key] = row
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ArtifactError(
                f"{self.path}: the search journal can not be written ({error.strerror}). "
                "Hint: cache=FOLDER"
            ) from error
