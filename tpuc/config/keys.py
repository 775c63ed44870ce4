"""Types of keys, from the schema."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from tpuc.config.schema import Job

__all__ = ["key_type"]


def key_type(key: str) -> Any:
    """Type of a dotted key such as `search.budget`; None if there is no such key."""
    kind: Any = Job
    for part in key.split("."):
        if not dataclasses.is_dataclass(kind) or part not in kind.__dataclass_fields__:
            return None
        kind = typing.get_type_hints(kind)[part]
    return kind
