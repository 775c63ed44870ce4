"""Commands of TPU-MLIR to keys of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tpuc.config.folders import config_folder
from tpuc.config.keys import key_type
from tpuc.config.schema import Mode
from tpuc.errors import ConfigError
from tpuc.tools.vendor_commands.options import PROGRAMS, Option
from tpuc.tools.vendor_commands.shell import Command

__all__ = ["Draft", "assemble"]

_ALL = 1_000_000
"""Samples, where TPU-MLIR takes all that there are."""

_SEARCHES = {"search_threshold": "threshold", "search_qtable": "qtable", "false": "none"}


@dataclass
class Draft:
    """A recipe in the making.

    Parameters
    ----------
    groups : dict of group to option
    keys : dict of dotted key to value
    remarks : list of (changes the result, text)
    also : list of str
        Overrides of further builds that the script asks for.
    """

    groups: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    remarks: list[tuple[bool, str]] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    def makes(self, path: str) -> None:
        """Remember a file that a command writes: later commands only hand it on."""
        self.made.add(PurePosixPath(path).name)

    def has_made(self, path: str) -> bool:
        """Whether an earlier command writes this file."""
        return PurePosixPath(path).name in self.made

    def remark(self, text: str, changes: bool = False) -> None:
        """Say once what became of something."""
        if (changes, text) not in self.remarks:
            self.remarks.append((changes, text))


def assemble(commands: Sequence[Command]) -> Draft:
    """The recipe that a script amounts to.

    Of several runs of one program the last counts; several model_deploy are several builds.

    Raises
    ------
    ConfigError : no command of TPU-MLIR, two different networks, or a value is malformed
    """
    if not commands:
        known = ", ".join(PROGRAMS)
        raise ConfigError(f"no command of TPU-MLIR found; expected one of {known}")
    draft = Draft()
    chosen = _chosen(commands, draft)
    for command in chosen:
        _take(command, draft)
    return draft


def _chosen(commands: Sequence[Command], draft: Draft) -> list[Command]:
    by_program: dict[str, list[Command]] = {}
    for command in commands:
        by_program.setdefault(command.program, []).append(command)
    models = {c.get("model_def") for c in by_program.get("model_transform", [])}
    if len(models) > 1:
        raise ConfigError(
            f"two networks in one script: {', '.join(sorted(map(str, models)))}; "
            "expected one. Hint: import each part on its own"
        )
    kept: list[Command] = []
    for program, runs in by_program.items():
        calibrated = [c for c in runs if c.get("calibration_table")]
        best = calibrated[-1] if program == "model_deploy" and calibrated else runs[-1]
        kept.append(best)
        others = [c for c in runs if c is not best]
        if program == "model_deploy":
            draft.also += [_overrides(c) for c in others]
        else:
            for other in others:
                draft.remark(f"replaced by the later {program}: {other.text}")
    order = list(PROGRAMS)
    return sorted(kept, key=lambda c: order.index(c.program))


def _overrides(command: Command) -> str:
    mode, chip = command.get("quantize") or "F32", command.get("chip", "processor")
    words = [_quantize_words(mode)]
    if chip is not None:
        words.append(f"processor={chip.lower()}")
    return " ".join(words)


def _quantize_words(mode: str) -> str:
    group = config_folder() / "quantize" / f"{mode.lower()}.yaml"
    return f"quantize={mode.lower()}" if group.is_file() else f"quantize.mode={mode.upper()}"


def _take(command: Command, draft: Draft) -> None:
    program = PROGRAMS[command.program]
    if command.program in ("run_sensitive_layer", "run_qtable"):
        _set_search("sensitive_layer", command, draft)
    if command.program == "fp_forward":
        _set_search("fp_forward", command, draft)
    if command.program == "run_calibration" and command.get("input_num") is None:
        draft.keys["calibration.input_num"] = _ALL
        draft.remark("run_calibration without --input_num takes all samples")
    if command.program == "model_deploy" and command.get("quantize") is None:
        _SPECIAL["@quantize"]("F32", command, draft)
    for text in command.positional:
        _apply(Option(program.positional), "its file", text, command, draft)
    for name, text in command.options:
        _apply(program.options[name], f"--{name}", text, command, draft)


def _apply(option: Option, name: str, text: str, command: Command, draft: Draft) -> None:
    where = f"{command.program} {name}" + (f" {text}" if text else "")
    if option.key.startswith("@"):
        _SPECIAL[option.key](text, command, draft)
        return
    if not option.key:
        kind = "is not available" if option.changes else "has no meaning here"
        draft.remark(f"{where} {kind}: {option.why}", option.changes)
        return
    if key_type(option.key) is None:
        draft.remark(f"{where} is not available: there is no key {option.key}", True)
        return
    try:
        draft.keys[option.key] = True if option.takes == 0 else option.read(text)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _set_search(name: str, command: Command, draft: Draft) -> None:
    before = draft.groups.get("search", "none")
    if name == "fp_forward" and before not in ("none", name):
        draft.remark(
            f"{command.text} is not taken over: the recipe has search={before} already. "
            "Run it as a recipe of its own, and give its qtable as quantize.table",
            True,
        )
        return
    draft.groups["search"] = name


def _model(text: str, command: Command, draft: Draft) -> None:
    if not draft.has_made(text) and draft.keys.setdefault("model.path", text) != text:
        draft.remark(f"{command.program}: {text} is taken to be made from model.path")


def _processor(text: str, command: Command, draft: Draft) -> None:
    name = text.lower()
    known = sorted(p.stem for p in (config_folder() / "processor").glob("*.yaml"))
    if name in known:
        draft.groups["processor"] = name
    else:
        draft.remark(f"processor {text} is not available; there are {', '.join(known)}", True)


def _calibration(text: str, command: Command, draft: Draft) -> None:
    name = text.lower().removeprefix("use_").removesuffix("_for_cali")
    if (config_folder() / "calibration" / f"{name}.yaml").is_file():
        draft.groups["calibration"] = name
    else:
        draft.remark(f"calibration method {text} is not available", True)


def _debug(text: str, command: Command, draft: Draft) -> None:
    for word in text.replace(";", ",").split(","):
        if word.startswith("use_"):
            _calibration(word, command, draft)
        elif word == "fp8":
            draft.groups["calibration"] = "max"
        elif word:
            draft.remark(f"{command.program} --debug_cmd {word} has no meaning here")


def _search(text: str, command: Command, draft: Draft) -> None:
    name = _SEARCHES.get(text.lower())
    if name is None:
        draft.remark(f"{command.program} --search {text} is not available: search=qtable is", True)
    elif name != "none":
        _set_search(name, command, draft)


def _table(text: str, command: Command, draft: Draft) -> None:
    if draft.has_made(text) or PurePosixPath(text).name == "new_cali_table.txt":
        return
    draft.groups["calibration"] = "from_file"
    draft.keys["calibration.table"] = text


def _qtable(text: str, command: Command, draft: Draft) -> None:
    if not draft.has_made(text):
        draft.keys["quantize.table"] = text


def _quantize(text: str, command: Command, draft: Draft) -> None:
    if text.upper() not in Mode.__members__:
        have = ", ".join(Mode.__members__)
        draft.remark(f"--quantize {text} is not available; there are {have}", True)
        return
    key, _, value = _quantize_words(text).partition("=")
    if key == "quantize":
        draft.groups[key] = value
    else:
        draft.keys[key] = value


def _channels(text: str, command: Command, draft: Draft) -> None:
    if text == "none":
        draft.remark(
            "--channel_format none: inputs of another shape than pictures have no pictures"
        )
    else:
        draft.keys["model.preprocess.channel_format"] = text


def _makes(text: str, command: Command, draft: Draft) -> None:
    draft.makes(text)


def _no_bmodel(text: str, command: Command, draft: Draft) -> None:
    draft.groups["backend"] = "none"


_SPECIAL: dict[str, Callable[[str, Command, Draft], None]] = {
    "@mlir": _makes,
    "@made_table": _makes,
    "@made_qtable": _makes,
    "@model": _model,
    "@processor": _processor,
    "@calibration": _calibration,
    "@debug_cmd": _debug,
    "@search": _search,
    "@table": _table,
    "@qtable": _qtable,
    "@quantize": _quantize,
    "@channel_format": _channels,
    "@no_bmodel": _no_bmodel,
}
