"""Quantize tables as text, interchangeable with TPU-MLIR.

    # comments
    op_name MODE

Case of the mode does not matter; a line with one word is ignored; the last row of a name wins.
"""

from __future__ import annotations

from pathlib import Path

from tpuc.artifacts import Choice, QuantizeTable
from tpuc.errors import TableError

__all__ = ["MODES", "parse", "read", "to_text"]

MODES = ("F32", "F16", "BF16", "INT8", "INT4", "W8F16", "W8BF16", "W4F16", "W4BF16",
         "F8E4M3", "F8E5M2")  # fmt: skip


def parse(text: str, where: str = "quantize table") -> QuantizeTable:
    """Parse the text.

    Raises
    ------
    TableError : a mode is unknown
    """
    choices: dict[str, Choice] = {}
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or line.startswith("#") or len(parts) < 2:
            continue
        mode = parts[1].upper()
        if mode not in MODES:
            raise TableError(
                f"{where}, line {number}: unknown mode '{parts[1]}'; expected {', '.join(MODES)}"
            )
        choices[parts[0]] = Choice(mode, f"set by {where}, line {number}")
    return QuantizeTable(choices)


def read(path: Path) -> QuantizeTable:
    """Read a file.

    Raises
    ------
    TableError : it can not be read, or a mode is unknown
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: can not be read as a quantize table ({error})") from error
    return parse(text, path.name)


def to_text(table: QuantizeTable) -> str:
    """Text of a table."""
    rows = [f"{name} {choice.mode}" for name, choice in table.choices.items()]
    return "\n".join(["# op_name   quantize_mode", *rows]) + "\n"
