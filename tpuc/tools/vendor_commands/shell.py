"""Finds TPU-MLIR's programs in a command line or a shell script."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tpuc.errors import ConfigError
from tpuc.tools.vendor_commands.options import PROGRAMS, Option, Program

__all__ = ["Command", "read_script"]

_ENDS = frozenset(("&&", "||", ";", "|", "&", ";;"))


@dataclass(frozen=True)
class Command:
    """A program of TPU-MLIR with its options as they stand.

    Parameters
    ----------
    options : tuple of (option, text)
        Without dashes; a flag's text is empty.
    positional : tuple of str
    """

    program: str
    options: tuple[tuple[str, str], ...]
    positional: tuple[str, ...]
    text: str

    def get(self, *names: str) -> str | None:
        """Text of the last of these options, if one is given."""
        found = [text for name, text in self.options if name in names]
        return found[-1] if found else None


def read_script(text: str) -> tuple[list[Command], list[str]]:
    """(commands in order, other lines that were left out).

    Variables that the script itself sets (NAME=value) are put in.

    Raises
    ------
    ConfigError : a quote is open, or an option is unknown, or lacks its value
    """
    commands: list[Command] = []
    others: list[str] = []
    known: dict[str, str] = {}
    for line in _lines(text):
        for words in _simple_commands(line):
            found = re.fullmatch(r"(\w+)=(.*)", words[0]) if len(words) == 1 else None
            if found is not None:
                known[found[1]] = _filled(found[2], known)
                continue
            words = [_filled(w, known) for w in words]
            start = _program_at(words)
            if start is None:
                others.append(" ".join(words))
                continue
            name = PurePosixPath(words[start]).name.removesuffix(".py")
            commands.append(_parse(name, words[start + 1 :], shlex.join(words[start:])))
    return commands, others


def _lines(text: str) -> list[str]:
    """Lines as a shell sees them: joined behind a backslash, but not across a prompt or the end."""
    joined = re.sub(r"\\[ \t]*(\r?\n(?=[ \t]*\$ )|$(?![\r\n]))", "\n", text)
    joined = re.sub(r"\\[ \t]*\r?\n", " ", joined)
    return [re.sub(r"^\s*\$ ", "", line).strip() for line in joined.splitlines()]


def _simple_commands(line: str) -> list[list[str]]:
    """Words of each command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError as error:
        raise ConfigError(f"'{line}': {error}; expected a shell command") from error
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [p for p in parts if p]


def _filled(word: str, known: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return known.get(found[1] or found[2], found[0])

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, word)


def _program_at(words: Sequence[str]) -> int | None:
    """Index of the program: first, or behind python and settings of variables."""
    for index, word in enumerate(words):
        if PurePosixPath(word).name.removesuffix(".py") in PROGRAMS:
            return index
        setting = re.fullmatch(r"\w+=.*", word) is not None
        if not setting and not re.fullmatch(r"(.*/)?(python[\d.]*|sudo|time|env|nohup)", word):
            return None
    return None


def _parse(name: str, words: Sequence[str], text: str) -> Command:
    program = PROGRAMS[name]
    options: list[tuple[str, str]] = []
    positional: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not re.match(r"--?[A-Za-z]", word):
            positional.append(word)
            continue
        given, equals, value = word.lstrip("-").partition("=")
        option = _option(name, program, given)
        takes = program.options[option].takes
        if equals:
            rest.insert(0, value)
        options.append((option, _value(f"{name} --{option}", takes, rest)))
    if positional and not program.positional:
        raise ConfigError(f"{name}: '{positional[0]}' belongs to no option")
    return Command(name, tuple(options), tuple(positional), text)


def _value(where: str, takes: int, rest: list[str]) -> str:
    if takes == 0:
        return ""
    values: list[str] = []
    while rest and not re.match(r"--?[A-Za-z]", rest[0]) and (takes < 0 or not values):
        values.append(rest.pop(0))
    if not values and takes > 0:
        raise ConfigError(f"{where}: has no value")
    return " ".join(values)


def _option(name: str, program: Program, given: str) -> str:
    """The option meant: argparse lets them be shortened."""
    known: Mapping[str, Option] = program.options
    if given in known:
        return given
    longer = [o for o in known if o.startswith(given)]
    if len(longer) == 1:
        return longer[0]
    close = difflib.get_close_matches(given, known, 3) or longer[:3]
    near = f" Hint: {', '.join('--' + o for o in close)}" if close else ""
    raise ConfigError(f"{name}: has no option --{given}.{near}")
