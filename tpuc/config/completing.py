"""Tab completion: Hydra's, with the names that tpuc's own command line has.

Hydra knows recipes as the group `recipes`; a person types `recipe=`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator

from tpuc.config.composing import hydra_args, split_args
from tpuc.config.folders import config_folder

__all__ = ["asks_completion", "completion_args", "translated"]

_FLAGS = ("--shell-completion", "-sc")


def asks_completion(args: list[str]) -> bool:
    """True if a shell asks for what could follow."""
    return bool(args) and args[0] in _FLAGS and any(a.startswith("query=") for a in args)


def completion_args(args: list[str]) -> list[str]:
    """Arguments of a query; the line typed so far is in COMP_LINE, and is put in Hydra's words."""
    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    _, folder, _ = split_args(words[1:])
    tail = " " if line.endswith(" ") else ""
    os.environ["COMP_LINE"] = " ".join([*words[:1], *hydra_args(words[1:])]) + tail
    return [*args, *(["--config-dir", str(folder)] if folder and folder.is_dir() else [])]


@contextlib.contextmanager
def translated(write: Callable[[str], object]) -> Iterator[None]:
    """Put what Hydra prints in a person's words."""
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            yield
    finally:
        pieces = re.split(r"(\s+)", re.sub(r"\brecipes=", "recipe=", text.getvalue()))
        write("".join(_offered(pieces)))


def _offered(pieces: list[str]) -> Iterator[str]:
    """Words with the gaps behind them, each once; a folder beside `recipes/` is no group."""
    seen: set[str] = set()
    for given, gap in zip(pieces[::2], [*pieces[1::2], ""]):
        is_group = given.isidentifier() and (config_folder() / given).is_dir()
        word = f"{given}=" if is_group and given != "hydra" else given
        is_key = "=" in word or word.endswith(".") or word.startswith(("hydra", "~"))
        if is_key and word not in seen:
            seen.add(word)
            yield word + gap
