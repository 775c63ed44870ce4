"""The command of a run with other keys: what a reader copies to try something."""

from __future__ import annotations

import shlex

__all__ = ["changed", "float_ops"]

_PLACES = ("hydra.run.dir", "hydra.sweep.dir")
_HOLES = ("FOLDER", "FILE")


def changed(command: str, keys: str) -> str:
    """`command` with `keys` in place of what it says of the same; empty if they have a hole.

    Parameters
    ----------
    command : str
        `tpuc ...` as it was typed.
    keys : str
        Overrides, and `-m` for a sweep.
    """
    words = shlex.split(command)
    new = shlex.split(keys)
    if not words or any(word.endswith(_HOLES) for word in new):
        return ""
    sweep = [word for word in new if word == "-m"]
    values = [word for word in new if word != "-m"]
    dropped = {word.partition("=")[0] for word in values} | set(_PLACES)
    kept = [word for word in words[1:] if word.partition("=")[0] not in dropped]
    return shlex.join([words[0], *sweep, *(w for w in kept if w != "-m"), *values])


def float_ops(command: str, rows: list[str]) -> str:
    """Commands that write a table of types and build with it; empty without a command."""
    build = changed(command, "quantize.table=types")
    listed = " ".join(shlex.quote(row) for row in rows)
    return f"printf '%s\\n' {listed} > types && {build}" if build else ""
