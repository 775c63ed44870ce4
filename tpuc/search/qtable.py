"""Quantize tables as text, interchangeable with TPU-MLIR.

    # comments
    op_name MODE

Case of the mode does not matter; a line with one word is ignored; the last row of a name wins.
An op with several results may stand as `fused["a", "b"] MODE`: a row for each result.
A comment that names a section (`# pattern layers`) says who decided the rows below it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tpuc.artifacts import Choice, QuantizeTable
from tpuc.errors import TableError

__all__ = ["MODES", "Header", "parse", "read", "to_text"]

MODES = ("F32", "F16", "BF16", "INT8", "INT4", "W8F16", "W8BF16", "W4F16", "W4BF16",
         "F8E4M3", "F8E5M2")  # fmt: skip

# Sections in the order of the text, the sources that stand in each, the source of what is read.
_SECTIONS = {
    "pattern": (("pattern", "part_quantize"), "pattern"),
    "shape": (("shape", "tail"), "shape"),
    "custom": (("user", "fp_forward", "precise", "search", ""), "user"),
}


@dataclass(frozen=True)
class Header:
    """What the comments at the top say.

    Parameters
    ----------
    samples : int
        Samples of the calibration.
    processor : str
    part_quantize : str
        Mode, and op types if they are the user's own.
    messages : tuple of str
        What the matcher printed.
    """

    samples: int
    processor: str
    part_quantize: str = "None"
    messages: tuple[str, ...] = ()


def parse(text: str, where: str = "quantize table") -> QuantizeTable:
    """Parse the text.

    Raises
    ------
    TableError : a mode is unknown
    """
    choices: dict[str, Choice] = {}
    source = "user"
    for number, line in enumerate(text.splitlines(), 1):
        if section := re.fullmatch(r"# (\w+) layers", line.strip()):
            source = _SECTIONS.get(section[1], ((), source))[1]
        names, word = _row(line)
        if line.startswith("#") or not word:
            continue
        mode = word.upper()
        if mode not in MODES:
            raise TableError(
                f"{where}, line {number}: unknown mode '{word}'; expected {', '.join(MODES)}"
            )
        choice = Choice(mode, f"set by {where}, line {number}", source)
        choices.update(dict.fromkeys(names, choice))
    return QuantizeTable(choices)


def _row(line: str) -> tuple[list[str], str]:
    """Names of a row, and the word behind them; empty if there is none."""
    if line.startswith("fused["):
        names, _, rest = line.rpartition("]")
        return re.findall(r'"([^"]+)"', names), next(iter(rest.split()), "")
    parts = line.split()
    return parts[:1], parts[1] if len(parts) > 1 else ""


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


def to_text(table: QuantizeTable, header: Header | None = None) -> str:
    """Text of a table: comments if a header is given, then one section for each kind of source.

    The same table gives the same text: no time is written.
    """
    sections = {
        name: [f"{op} {c.mode}" for op, c in table.choices.items() if c.source in sources]
        for name, (sources, _) in _SECTIONS.items()
    }
    lines = _comments(header, {name: len(rows) for name, rows in sections.items()})
    lines.append("# op_name   quantize_mode")
    for name, rows in sections.items():
        lines += [f"# {name} layers", *rows]
    return "\n".join(lines) + "\n"


def _comments(header: Header | None, counts: dict[str, int]) -> list[str]:
    if header is None:
        return []
    return [
        f"# sample number: {header.samples}",
        f"# chip: {header.processor}",
        f"# total layers: {sum(counts.values())} (unique list blow)",
        *(f"# number of {name} layers: {counts[name]}" for name in ("shape", "pattern", "custom")),
        f"# # part_quant_mode: {header.part_quantize}",
        "###",
        *(f"# {message}" for message in header.messages),
        *(["###"] if header.messages else []),
    ]
