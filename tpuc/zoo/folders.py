"""Fills a folder once: whole or not at all, also when two runs start together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["made_once"]


def made_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """`target`, filled by `fill` if it does not exist yet."""
    if target.exists():
        return target
    part = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
    part.mkdir(parents=True)
    try:
        fill(part)
        try:
            part.rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        if part.exists():
            shutil.rmtree(part, ignore_errors=True)
    return target
