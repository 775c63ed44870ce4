"""Writes what must not drift in docs/: keys.md (schema), migration.md (importer), ops.md
(registries), dataflow.svg.

python -m scripts.make_docs
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from scripts.dataflow import dataflow_svg
from scripts.ops_page import ops_page
from tpuc.config.keys import key_type
from tpuc.config.schema import Job
from tpuc.tools.vendor_commands.options import PROGRAMS, Option

ROOT = Path(__file__).resolve().parent.parent

_SPECIAL = {
    "@model": "model.path, where no model_transform makes it",
    "@mlir": "made: later commands hand it on",
    "@made_table": "made: new_cali_table.txt and NAME_cali_table of the run folder",
    "@made_qtable": "made: NAME_qtable of the run folder",
    "@table": "calibration=from_file calibration.table, where no command makes it",
    "@qtable": "quantize.table, where no command makes it",
    "@processor": "processor",
    "@calibration": "calibration",
    "@search": "search",
    "@quantize": "quantize",
    "@debug_cmd": "calibration, for use_mse and the like and for fp8; else nothing",
    "@channel_format": "model.preprocess.channel_format",
    "@no_bmodel": "backend=none",
}


def keys() -> Iterator[tuple[str, Any, Any]]:
    """(key, type, default) of every key."""
    yield from _walk(Job, "", Job())


def _walk(kind: Any, prefix: str, default: Any) -> Iterator[tuple[str, Any, Any]]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        found, value = hints[field.name], getattr(default, field.name)
        if dataclasses.is_dataclass(found):
            yield from _walk(found, f"{prefix}{field.name}.", value)
        else:
            yield prefix + field.name, found, value


def _from_vendor() -> dict[str, list[str]]:
    """Key to the options of TPU-MLIR that become it."""
    found: dict[str, list[str]] = {}
    for program, content in PROGRAMS.items():
        for name, option in content.options.items():
            if option.key and not option.key.startswith("@"):
                found.setdefault(option.key, []).append(f"{program} --{name}")
    return found


def _values(kind: Any) -> str:
    inner = [t for t in typing.get_args(kind) if t is not type(None)]
    if type(None) in typing.get_args(kind) and len(inner) == 1:
        kind = inner[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(kind.__members__)
    text = getattr(kind, "__name__", None) if isinstance(kind, type) else str(kind)
    return str(text).replace("typing.", "").replace(" | None", "")


def _default(value: Any) -> str:
    if isinstance(value, Enum):
        return value.name
    return "" if value in (None, "", {}) else str(value)


def keys_page(about: dict[str, str], manual: dict[str, list[str]]) -> str:
    """docs/keys.md."""
    vendor = _from_vendor()
    lines = [
        "# Every key", "",
        "Written by `python -m scripts.make_docs`. `group=option` chooses an option of a group, "
        "`group.key=value` sets a key.",
        "The last two columns name the option of TPU-MLIR's programs that the key stands for, and "
        "the sections of its manual",
        '(chapter "Quantization and optimization") that are about it; a key without one is '
        "tpuc's own.",
        "",
    ]  # fmt: skip
    group = None
    for key, kind, default in keys():
        top = key.split(".")[0] if "." in key else "top level"
        if top != group:
            options = sorted(p.stem for p in (ROOT / "conf" / top).glob("*.yaml"))
            lines += ["", f"## {top}", ""]
            lines += [f"Options: {', '.join(options)}.", ""] if options else []
            lines += [
                "| key | values | default | meaning | TPU-MLIR | manual |",
                "|---|---|---|---|---|---|",
            ]
            group = top
        theirs = "<br>".join(f"`{t}`" for t in vendor.get(key, []))
        sections = "<br>".join(title for title, named in manual.items() if key in named)
        cells = f"`{key}`", _values(kind), _default(default), about[key], theirs, sections
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def migration_page() -> str:
    """docs/migration.md."""
    lines = [
        "# From TPU-MLIR", "", "Written by `python -m scripts.make_docs`.", "",
        "`tpuc-tool import` does all of this: a command line or a whole script becomes a recipe.",
        "An option without a key has a reason; **bold** where the result would differ.",
    ]  # fmt: skip
    for program, content in PROGRAMS.items():
        lines += ["", f"## {program}", "", "| option | here |", "|---|---|"]
        if content.positional:
            lines.append(f"| `FILE.mlir` | {_becomes(Option(content.positional))} |")
        lines += [f"| `--{name}` | {_becomes(o)} |" for name, o in content.options.items()]
    lines += _situations() + _exchanged()
    return "\n".join(lines) + "\n"


def _situations() -> list[str]:
    """The manual's table of cases."""
    rows = (
        ("first try, time is no matter, no method in mind", "`search=threshold`"),
        ("first try, method known", "`calibration=mse`, or another"),
        ("first try in little time, no method in mind", "`calibration=kl`, the default"),
        ("not accurate enough, weights with one scale a layer (bm1684)",
         "`correction=auto`, or `correction.smoothquant=true correction.weight_equalization=true "
         "correction.bias_correction=true`"),
        ("not accurate enough still", "`search=qtable`"),
    )  # fmt: skip
    return ["", "## Which of them when", "", "| situation | here |", "|---|---|"] + [
        f"| {situation} | {here} |" for situation, here in rows
    ]


_STEPS = {
    "same ops": "ops as `model_transform`",
    "tpuc-opt": "our file through `tpuc-opt`",
    "run_calibration": "thresholds of `run_calibration`",
    "model_deploy INT8": "`model_deploy` INT8",
    "model_deploy F16": "F16",
    "model_deploy mixed": "mixed by a table",
    "table of theirs": "their file here: table",
    "tensors of theirs": "INT8",
}
"""What was tried with each network (exchange.json), and the heading of its column."""


def _exchanged() -> list[str]:
    """What was exchanged with TPU-MLIR's own programs, as measured."""
    found = json.loads((ROOT / "docs/exchange.json").read_text(encoding="utf-8"))
    lines = [
        "", "## What was exchanged", "",
        "Measured with TPU-MLIR 1.30.2 on bm1684x (`python -m tests.benchmarks.exchange`), "
        "made-up weights, 4 samples, kl.",
        "From left to right: our graph op by op beside that of `model_transform`; our `.mlir` and "
        "npz through `tpuc-opt` (which",
        "writes the same graph again) and `run_calibration` (thresholds within 1e-4); with our "
        "tables through `model_deploy`, every",
        "tensor of its simulator bit by bit beside ours; then its `.mlir` and npz as `model.path` "
        "here. *Equal / all*, and what is not.",
        "Of TorchScript's `unbind` TPU-MLIR keeps the axis, with size 1, so that axes behind it "
        "are others: its graph of such",
        "a network (vit.pt) does not compute what torch does; ours does, and is read by its tools.",
        "", "| network | " + " | ".join(_STEPS.values()) + " |",
        "|---" * (len(_STEPS) + 1) + "|",
    ]  # fmt: skip
    for name, row in sorted(found.items()):
        if "not begun" in row:
            cells = [row["not begun"], *[""] * (len(_STEPS) - 1)]
        else:
            cells = [row.get(step, "") for step in _STEPS]
        lines.append("| " + " | ".join([name, *(c.replace("|", "\\|") for c in cells)]) + " |")
    return lines


def _becomes(option: Option) -> str:
    if option.key.startswith("@"):
        return _SPECIAL[option.key]
    if option.key:
        return (
            f"`{option.key}`"
            if key_type(option.key) is not None
            else "**not available** in this version"
        )
    return f"**not available**: {option.why}" if option.changes else f"nothing: {option.why}"


def pages() -> dict[str, str]:
    """Content of each page by its name."""
    about = yaml.safe_load((ROOT / "docs/keys.yaml").read_text(encoding="utf-8"))
    manual = yaml.safe_load((ROOT / "docs/manual.yaml").read_text(encoding="utf-8"))
    return {
        "keys.md": keys_page(about, manual),
        "migration.md": migration_page(),
        "ops.md": ops_page(),
        "dataflow.svg": dataflow_svg(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")
