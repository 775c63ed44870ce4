"""tpuc-tool import: commands of TPU-MLIR become a recipe.

tpuc-tool import "run_calibration net.mlir --dataset pictures --search search_qtable"
tpuc-tool import build.sh --output my/recipes/net.yaml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tpuc.errors import ConfigError
from tpuc.files import write_whole
from tpuc.tools.vendor_commands import assemble, read_script, recipe_text, stand_in

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "make a recipe of TPU-MLIR's command lines, or of a shell script with them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("commands", nargs="+", help="command lines (quoted), or script files")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER/recipes/NAME.yaml", help="default: the terminal"
    )


def execute(args: argparse.Namespace) -> int:
    """Import; status 3 if something that changes the result could not be taken over.

    Raises
    ------
    ConfigError : an option is unknown or malformed, no command is found, or the file exists
    """
    commands, others = read_script("\n".join(_text(word) for word in args.commands))
    if others and not commands:
        here = stand_in(others[0])
        hint = f" Hint: {here}" if here and not here.startswith("nothing") else ""
        raise ConfigError(f"'{others[0]}': builds nothing, a recipe has no place for it.{hint}")
    draft = assemble(commands)
    text = recipe_text(draft, commands, others)
    if args.output is None:
        print(text, end="")
    else:
        _write(args.output, text)
    for changes, remark in draft.remarks:
        if changes:
            print(f"tpuc-tool: {remark}", file=sys.stderr)
    return 3 if any(changes for changes, _ in draft.remarks) else 0


def _text(word: str) -> str:
    path = Path(word)
    if "\n" in word or " " in word.strip() or not path.is_file():
        return word
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no text; expected a shell script") from error


def _write(path: Path, text: str) -> None:
    if path.suffix != ".yaml" or path.parent.name != "recipes":
        raise ConfigError(f"--output: {path}; expected FOLDER/recipes/NAME.yaml")
    if path.exists():
        raise ConfigError(f"--output: {path} exists already. Hint: another name, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    print(f"tpuc --config-dir {path.parent.parent} recipe={path.stem}")
