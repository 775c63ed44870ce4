"""The text of an imported recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from tpuc.tools.vendor_commands.assemble import Draft
from tpuc.tools.vendor_commands.companions import stand_in
from tpuc.tools.vendor_commands.shell import Command

__all__ = ["recipe_text"]

_GROUPS = ("calibration", "search", "processor", "quantize", "backend")


def recipe_text(draft: Draft, commands: Sequence[Command], others: Sequence[str]) -> str:
    """A file for the folder `recipes/` of `tpuc --config-dir`.

    Parameters
    ----------
    others : sequence of str
        Lines that hold no command of TPU-MLIR.
    """
    head = ["# @package _global_", "# Imported from commands of TPU-MLIR:"]
    head += [f"#   {command.text}" for command in commands]
    head += ["# Paths are as they stand there: run tpuc in the folder where they are right."]
    body = ["defaults:"]
    chosen = {"search": "none", **draft.groups}
    body += [f"  - override /{group}: {chosen[group]}" for group in _GROUPS if group in chosen]
    dumped = yaml.safe_dump(
        _nested(draft.keys), default_flow_style=None, sort_keys=False, allow_unicode=True, width=100
    )
    body += ["", dumped.rstrip()] if draft.keys else []
    tail: list[str] = []
    tail += _section("Changes the result, and could not be taken over:", draft, True)
    tail += _section("Has no counterpart:", draft, False)
    tail += _comment("The script builds these as well; add to the command:", draft.also)
    tail += _comment("Lines of the script that build nothing, and what does their work here:", [
        f"{line}: {stand_in(line) or 'nothing'}" for line in others
    ])  # fmt: skip
    return "\n".join([*head, *body, *tail]) + "\n"


def _section(title: str, draft: Draft, changes: bool) -> list[str]:
    return _comment(title, [text for flag, text in draft.remarks if flag == changes])


def _comment(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"# {title}", *(f"#   {line}" for line in lines)] if lines else []


def _nested(keys: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in keys.items():
        *parents, last = key.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return found
