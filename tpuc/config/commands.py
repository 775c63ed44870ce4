"""The command that repeats a run, from whichever folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

__all__ = ["FILES", "repeating"]

FILES = (
    "quantize.table",
    "search.post_process",
    "search.pre_qtable",
    "calibration.tune_list",
    "evaluation.path",
    "evaluation.labels",
    "evaluation.classes",
    "evaluation.annotations",
    "dataset.list",
    "dataset.path",
)
"""Keys that name a file or folder, which must be there; `zoo:` names are none."""

_ALL = {*FILES, "model.path", "calibration.table"}
_PLAIN = re.compile(r"[\w./~+@%-]*")


def repeating(overrides: Iterable[str], folders: Iterable[str]) -> str:
    """`tpuc ...` with these overrides and `--config-dir` folders; files by their whole path."""
    given = [word for folder in folders for word in ("--config-dir", folder)]
    return shlex.join(["tpuc", *given, *map(_settled, overrides)])


def _settled(override: str) -> str:
    key, equals, value = override.partition("=")
    bare = value[1:-1] if len(value) > 1 and value[0] == value[-1] in "'\"" else value
    if key.lstrip("+") not in _ALL or not bare or "'" in bare or not Path(bare).exists():
        return override
    path = str(Path(bare).absolute())
    return f"{key}{equals}{path}" if _PLAIN.fullmatch(path) else f"{key}{equals}'{path}'"
