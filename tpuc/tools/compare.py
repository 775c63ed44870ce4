"""tpuc-tool compare: two npz files of tensors, or two run folders, name by name.

Verdicts and figures are those of TPU-MLIR's npz_tool: tensor_verdict.py says what they mean.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import numpy as np

from tpuc.errors import ArtifactError
from tpuc.files import write_whole
from tpuc.tools.tensor_verdict import TensorVerdict, compare_tensors

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "compare two npz files, or the reports of two run folders, layer by layer"

_WORDS = ("EQUAL", "CLOSE", "SIMILAR", "NOT_EQUAL", "NOT_SIMILAR", "NOT_MATCH")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("target", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument(
        "--tolerance", default="0.99,0.99", metavar="COS,EUCLID", help="default 0.99,0.99"
    )
    parser.add_argument("--excepts", default="", help="names to leave out, separated by commas")
    parser.add_argument(
        "--int8_tensor_close", type=int, choices=(0, 1), default=1,
        help="1: 8-bit integers must be equal; 0: similar is enough",
    )  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="FILE", help="every tensor, as csv")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every tensor, not only bad ones"
    )


def execute(args: argparse.Namespace) -> int:
    """Compare; status 3 if a tensor is not similar.

    Raises
    ------
    ArtifactError : a file can not be read, or the two have no name in common
    """
    if args.target.is_dir() and args.reference.is_dir():
        return _folders(args.target, args.reference)
    tolerance = _tolerance(args.tolerance)
    a, b = _load(args.target), _load(args.reference)
    names = [n for n in b if n in a and n not in args.excepts.split(",")]
    if not names:
        raise ArtifactError(f"{args.target} and {args.reference} have no tensor name in common")
    exact = args.int8_tensor_close == 1
    found = {n: compare_tensors(a[n], b[n], tolerance, exact) for n in names}
    for name, verdict in found.items():
        if args.verbose or not verdict.passed:
            mark = "PASSED" if verdict.passed else "FAILED"
            print(f"[{name:<32}] {verdict.word:>11} [{mark}]  {verdict.text}".rstrip())
    print(_summary(found))
    if args.save is not None:
        write_whole(args.save, _csv(found))
    return 0 if all(verdict.passed for verdict in found.values()) else 3


def _tolerance(text: str) -> tuple[float, float]:
    try:
        cos, euclid = (float(v) for v in text.split(",")[:2])
    except ValueError as error:
        raise ArtifactError(
            f"--tolerance: '{text}'; expected two numbers, for example 0.99,0.9"
        ) from error
    return cos, euclid


def _summary(found: dict[str, TensorVerdict]) -> str:
    """Counts of every verdict, and the least of every figure."""
    counts = {word: sum(v.word == word for v in found.values()) for word in _WORDS}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    figures = [v.figures for v in found.values() if v.figures is not None]
    least = ""
    if figures:
        cos, euclid, sqnr = (min(column) for column in zip(*figures))
        least = f"; lowest cosine {cos:.6f}, euclid {euclid:.6f}, sqnr {sqnr:.3f} dB"
    return f"{said} of {len(found)} tensors{least}"


def _csv(found: dict[str, TensorVerdict]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "verdict", "digits", "cosine", "euclid", "sqnr_db", "note"))
    for name, v in found.items():
        order = "" if v.order is None else v.order
        writer.writerow((name, v.word, order, *(v.figures or ("", "", "")), v.note))
    return text.getvalue()


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {n: archive[n] for n in archive.files}
    except Exception as error:  # numpy and zipfile raise many types for damaged files
        raise ArtifactError(f"{path}: can not be read as npz ({error})") from error


def _folders(first: Path, second: Path) -> int:
    import json

    rows = []
    for folder in (first, second):
        try:
            content = json.loads((folder / "report.json").read_text())
            rows.append({row["name"]: row for row in content["layers"]})
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(f"{folder}: has no usable report.json ({error})") from error
    print(f"{'cos':>10} {'cos':>10}  type  op      ({first} | {second})")
    for name, row in rows[0].items():
        other = rows[1].get(name)
        if other is None:
            print(f"only in {first}: {name}")
            continue
        pair = [f"{r['cos']:.6f}" if r["cos"] is not None else "-" for r in (row, other)]
        kinds = (
            row["dtype"] if row["dtype"] == other["dtype"] else f"{row['dtype']}>{other['dtype']}"
        )
        print(f"{pair[0]:>10} {pair[1]:>10}  {kinds}  {name}")
    for name in rows[1]:
        if name not in rows[0]:
            print(f"only in {second}: {name}")
    return 0
