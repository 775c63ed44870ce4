"""Configuration: the schema, semantic checks, and where the shipped files lie."""

from __future__ import annotations

from pathlib import Path

from tpuc.config.checks import STAGES, check_job, nearest
from tpuc.config.schema import Job

__all__ = ["STAGES", "Job", "check_job", "config_folder", "nearest", "recipes_parent"]

_PACKAGE = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """The folder of config groups: inside the installed package, or at the root of a checkout."""
    installed = _PACKAGE / "conf"
    return installed if installed.is_dir() else _PACKAGE.parent / "conf"


def recipes_parent() -> Path:
    """The folder that holds `recipes/`."""
    return _PACKAGE if (_PACKAGE / "recipes").is_dir() else _PACKAGE.parent
