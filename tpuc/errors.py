"""Errors that tpuc raises on purpose, and the value that says "this did not apply".

Every message reads `<where>: <what is wrong, with values>; expected <...>. Hint: <key or action>.`
The command line turns `InputError` into one line and exit status 2; anything else is a bug.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "GraphError",
    "InputError",
    "ModelError",
    "Skip",
    "TableError",
    "TpucError",
    "UnsupportedError",
]


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class TpucError(Exception):
    """Root of all errors that tpuc raises on purpose.

    As text it is one line without control characters, whatever names a stranger's file gave
    to its ops: they can neither break the line nor speak to the terminal.
    """

    def __str__(self) -> str:
        return _CONTROLS.sub(" ", super().__str__()).strip()


class InputError(TpucError):
    """Something that the user gave is wrong (exit status 2)."""


class ConfigError(InputError):
    """A key, a value or a combination of keys is wrong."""


class ModelError(InputError):
    """A model file can not be read, or is not what it says."""


class UnsupportedError(ModelError):
    """The model asks for an operator, attribute or type that tpuc does not have."""


class DataError(InputError):
    """A sample (picture, npy, npz) or a list of samples can not be used."""


class TableError(InputError):
    """A calibration table or a quantize table is malformed, or does not belong to the model."""


class ArtifactError(InputError):
    """A generated file (bmodel, run folder, cache entry) is damaged or of another version."""


class GraphError(TpucError):
    """A graph broke an invariant: a bug of the pass or room named in the message."""


@dataclass(frozen=True)
class Skip:
    """A rule, pass or option that did not apply, and why; reports print it.

    Parameters
    ----------
    reason : str
        One sentence, with values.
    nodes : tuple of str
        Names of the ops that caused it.
    """

    reason: str
    nodes: tuple[str, ...] = ()
