"""Calibration tables as text, interchangeable with TPU-MLIR.

    # header lines
    # op_name    threshold    min    max
    name threshold min max          (7 decimals, single spaces)

followed by optional sections. Where TPU-MLIR prints the time of day we print nothing, so that equal
builds give equal files; its readers ignore that line.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection
from pathlib import Path

from tpuc.artifacts import CalibrationTable, Range
from tpuc.errors import TableError

__all__ = ["check_table", "parse", "read", "to_text"]

_SECTIONS = {"int4_th": "int4", "asym_op": "asym", "int4_op": "int4_op",
             "symmetric_op": "symmetric", "weight_scale": "weight_scale"}  # fmt: skip
_HEADER = {
    "method": re.compile(r"threshold calculation method: (.*)"),
    "model": re.compile(r"# mlir: (.*)"),
    "sample_num": re.compile(r"sample number: (\d+)"),
    "histogram_bins": re.compile(r"histogram number: (\d+)"),
    "tune_num": re.compile(r"tune number: (\d+)"),
}


_FLOAT8 = "#tpu-mlir-fp8 caliration table"  # TPU-MLIR's spelling


def to_text(table: CalibrationTable) -> str:
    """Text of a table."""
    lines = [
        "# mlir version: tpuc cali version 1.0",
        f"# mlir: {table.model}",
        "# genetated time: not recorded",
        f"# quantization threshold calculation method: {table.method}",
        _FLOAT8 if table.fp8 else f"# histogram number: {table.histogram_bins}",
        f"# sample number: {table.sample_num}",
        "###",
        f"# tune number: {table.tune_num}",
        "###",
        "# op_name    threshold    min    max",
        *(f"{n} {r.threshold:.7f} {r.min:.7f} {r.max:.7f}" for n, r in table.ranges.items()),
    ]
    if table.int4:
        lines += ["", "#int4_th"]
        lines += [f"{n} {r.threshold:.7f} {r.min:.7f} {r.max:.7f}" for n, r in table.int4.items()]
    if table.asym_ops:
        lines += ["", "#asym_op", *table.asym_ops]
    if table.int4_ops:
        lines += ["#int4_op", *table.int4_ops]
    if table.symmetric_ops:
        lines += ["# symmetric_op", *(f"# {n}" for n in table.symmetric_ops)]
    if table.weight_scales:
        lines.append("#weight_scale")
        for name, scales in table.weight_scales.items():
            lines.append(f"{name} {len(scales)} {' '.join(f'{s:.7f}' for s in scales)}")
    return "\n".join(lines) + "\n"


def read(path: Path) -> CalibrationTable:
    """Read a table file.

    Raises
    ------
    TableError : the file is missing, or a line is malformed (with its number)
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: can not be read as a calibration table ({error})") from error
    return parse(text, str(path))


def parse(text: str, where: str = "calibration table") -> CalibrationTable:
    """Parse the text of a table.

    Raises
    ------
    TableError : a row is malformed, a number is not finite, or a name is given twice
    """
    section = "int8"
    header: dict[str, str] = {}
    rows: dict[str, dict[str, Range]] = {"int8": {}, "int4": {}}
    names: dict[str, list[str]] = {"asym": [], "int4_op": [], "symmetric": []}
    scales: dict[str, tuple[float, ...]] = {}
    fp8 = False
    for number, line in enumerate(text.splitlines(), 1):
        spot = f"{where}, line {number}"
        if line.startswith("#"):
            fp8 |= "tpu-mlir-fp8" in line
            switched = [v for k, v in _SECTIONS.items() if k in line]
            if switched:
                section = switched[0]
            elif section == "symmetric" and line.strip("# "):
                names["symmetric"].append(line.strip("# "))
            for key, pattern in _HEADER.items():
                found = pattern.search(line)
                if found:
                    header[key] = found[1].strip()
        elif line.strip():
            parts = line.split()
            if section in rows:
                _row(parts, rows[section], spot)
            elif section == "weight_scale":
                scales[parts[0]] = _floats(parts[2:], spot)
            else:
                names[section].append(parts[0])
    if not rows["int8"]:
        raise TableError(f"{where}: has no rows; expected 'op_name threshold min max'")
    return CalibrationTable(
        rows["int8"],
        header.get("method", "unknown"),
        header.get("model", ""),
        int(header.get("sample_num", 0)),
        int(header.get("histogram_bins", 2048)),
        int(header.get("tune_num", 0)),
        rows["int4"],
        tuple(names["int4_op"]),
        tuple(names["asym"]),
        tuple(names["symmetric"]),
        scales,
        fp8,
    )


def _floats(parts: list[str], spot: str) -> tuple[float, ...]:
    try:
        values = tuple(float(p) for p in parts)
    except ValueError as error:
        raise TableError(f"{spot}: not a number: {error}") from error
    if not all(map(math.isfinite, values)):
        raise TableError(f"{spot}: NaN or infinite value; expected finite numbers")
    return values


def _row(parts: list[str], into: dict[str, Range], spot: str) -> None:
    if len(parts) != 4:
        raise TableError(f"{spot}: {len(parts)} fields; expected 'op_name threshold min max'")
    if parts[0] in into:
        raise TableError(f"{spot}: op '{parts[0]}' stands here a second time")
    threshold, low, high = _floats(parts[1:], spot)
    if threshold < 0 or low > high:
        raise TableError(f"{spot}: threshold {threshold}, min {low}, max {high} are no range")
    into[parts[0]] = Range(threshold, low, high)


def check_table(table: CalibrationTable, names: Collection[str]) -> None:
    """Compare a table's ops with a model's.

    Raises
    ------
    TableError : it names ops that the model lacks, or lacks ops that the model has
    """
    known, given = list(names), set(table.ranges)
    unknown = [n for n in table.ranges if n not in set(known)]
    missing = [n for n in known if n not in given]
    if unknown and len(unknown) == len(given):
        raise TableError(
            f"calibration table: none of its {len(given)} ops is in the model; it belongs to "
            f"another model ('{table.model}'). Hint: calibration.table"
        )
    if unknown:
        close = difflib.get_close_matches(unknown[0], known, 1, 0.0)
        hint = f"; the nearest op is '{close[0]}'" if close else ""
        raise TableError(
            f"calibration table: the model has no op '{unknown[0]}'"
            f"{hint} ({len(unknown)} unknown ops)"
        )
    if missing:
        raise TableError(
            f"calibration table: no row for op '{missing[0]}' ({len(missing)} of {len(known)} "
            "ops are missing). Hint: calibrate again"
        )
