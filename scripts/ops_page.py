"""docs/ops.md: which operators are read, and what Top ops become in 8 bits."""

from __future__ import annotations

from pathlib import Path

import yaml

from tpuc.frontend import aten, converters
from tpuc.frontend.aten.registry import ATEN
from tpuc.frontend.registry import CONVERTERS
from tpuc.ir import TOP_OPS
from tpuc.lowering import ALWAYS_F32
from tpuc.lowering.rules import FLOAT8_OPS, KEEP_TYPE, int8_rules
from tpuc.processors import load_processor

__all__ = ["ops_page"]

assert aten and converters  # importing them registers every converter

_CONF = Path(__file__).resolve().parent.parent / "conf/processor"
_MOVED = {"Cast": "is no op, or cuts to whole numbers", "Input": "as given"}


def ops_page() -> str:
    """docs/ops.md."""
    lines = [
        "# Ops",
        "",
        "Written by `python -m scripts.make_docs`. What a file uses beyond these is refused before",
        "any work, all at once, each with the nearest supported form. Any operator whose inputs",
        "are constants or shapes (Range, ConstantOfShape, NonZero, ...) is computed when the file",
        "is read, and needs no support.",
    ]
    for title, table in (("ONNX operators", CONVERTERS), ("TorchScript operators", ATEN)):
        names = sorted({str(n).removeprefix("aten::") for n in table}, key=str.lower)
        lines += ["", f"## {title}", "", ", ".join(f"`{n}`" for n in names)]
    lines += [
        "",
        "## Top ops in 8 bits",
        "",
        "Processors with 8 bits by multiplier and shift per channel, and those of other forms. A",
        "rule may still make an op float where its operands do not allow the form; the report says",
        "why. *float* is the processor's short type (F16 or BF16). The last column: has a form of",
        "8-bit floats (F8E4M3 and F8E5M2 of BM1690); the others are F16 there, or F32.",
        "",
        "| op | INT8 on | otherwise | F8 |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *_rows()]) + "\n"


def _rows() -> list[str]:
    rules = {}
    for path in sorted(_CONF.glob("*.yaml")):
        chip = load_processor(yaml.safe_load(path.read_text(encoding="utf-8")))
        rules[chip.name] = int8_rules(chip)
    found = []
    for op in sorted(TOP_OPS, key=str.lower):
        having = [chip for chip, known in rules.items() if op in known]
        if op in KEEP_TYPE or op in _MOVED:
            cells = _MOVED.get(op, "has the type of its input"), ""
        else:
            where = "all" if len(having) == len(rules) else ", ".join(having) or "none"
            cells = where, "F32" if op in ALWAYS_F32 else "float"
        eight = "yes" if op in FLOAT8_OPS else ""
        found.append(f"| {op} | {cells[0]} | {cells[1]} | {eight} |")
    return found
