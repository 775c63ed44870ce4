"""Where the shipped configuration lies: in the installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["config_folder", "recipes_parent"]

_PACKAGE = Path(__file__).resolve().parent.parent


def config_folder() -> Path:
    """The folder of config groups."""
    installed = _PACKAGE / "conf"
    return installed if installed.is_dir() else _PACKAGE.parent / "conf"


def recipes_parent() -> Path:
    """The folder that holds `recipes/`."""
    return _PACKAGE if (_PACKAGE / "recipes").is_dir() else _PACKAGE.parent
