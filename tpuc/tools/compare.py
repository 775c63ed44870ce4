"""tpuc-tool compare: two npz files of tensors, or two run folders, name by name.

Verdicts and figures are those of TPU-MLIR's npz_tool: tensor_verdict.py says what they mean.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import io
from pathlib import Path

import numpy as np

from tpuc.errors import ArtifactError
from tpuc.files import write_whole
from tpuc.tools.tensor_details import details
from tpuc.tools.tensor_verdict import TensorVerdict, compare_tensors

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "compare two npz files, or the reports of two run folders, layer by layer"

Tensors = dict[str, np.ndarray]

_WORDS = ("EQUAL", "CLOSE", "SIMILAR", "NOT_EQUAL", "NOT_SIMILAR", "NOT_MATCH")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("target", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument(
        "--tolerance", default="0.99,0.99", metavar="COS,EUCLID", help="default 0.99,0.99"
    )
    parser.add_argument("--excepts", default="", help="names to leave out, separated by commas")
    parser.add_argument("-k", "--key", default="", metavar="NAME", help="this tensor alone")
    parser.add_argument(
        "--per_axis_compare", type=int, default=-1, metavar="AXIS",
        help="judge every part along an axis; the worst one counts (1: channels)",
    )  # fmt: skip
    parser.add_argument(
        "--fuzzy_match", action="store_true",
        help="whatever the names: for each tensor of the target the nearest one of its shape",
    )  # fmt: skip
    parser.add_argument(
        "--int8_tensor_close", type=int, choices=(0, 1), default=1,
        help="1: 8-bit integers must be equal; 0: similar is enough",
    )  # fmt: skip
    parser.add_argument("-s", "--save", type=Path, metavar="FILE", help="every tensor, as csv")
    parser.add_argument(
        "--only_key", action="store_true", help="with --save: only the names of bad tensors"
    )
    parser.add_argument(
        "--stats_int8_tensor", action="store_true",
        help="of 8-bit integers, the shares of both ends, of 0 and of small ones",
    )  # fmt: skip
    parser.add_argument("--full-array", action="store_true", help="every number that differs")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0,
        help="every tensor, not only bad ones; -vv: the ten largest numbers of bad ones, "
        "-vvv: and those that differ by more than 0.001",
    )  # fmt: skip
    parser.add_argument(
        "-a", "--forall", action="store_true", help="nothing: all tensors are always compared"
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
    if args.fuzzy_match:
        return _fuzzy(a, b, tolerance, args.int8_tensor_close == 1)
    names = _names(args, a, b)
    exact = args.int8_tensor_close == 1
    axis = args.per_axis_compare
    found = {n: compare_tensors(a[n], b[n], tolerance, exact, axis) for n in names}
    for name, verdict in found.items():
        if args.verbose or not verdict.passed:
            _print(name, verdict)
            for line in details(a[name], b[name], verdict, args):
                print(f"    {line}")
    print(_summary(found))
    if args.save is not None:
        bad = [n for n, verdict in found.items() if not verdict.passed]
        write_whole(args.save, "".join(f"{n}\n" for n in bad) if args.only_key else _csv(found))
    return 0 if all(verdict.passed for verdict in found.values()) else 3


def _print(name: str, verdict: TensorVerdict) -> None:
    mark = "PASSED" if verdict.passed else "FAILED"
    print(f"[{name:<32}] {verdict.word:>11} [{mark}]  {verdict.text}".rstrip())


def _names(args: argparse.Namespace, a: Tensors, b: Tensors) -> list[str]:
    """What is compared, in the order of the reference."""
    common = [n for n in b if n in a]
    if args.key and args.key not in common:
        close = difflib.get_close_matches(args.key, common, 1, 0.0)
        near = f"; the nearest name is '{close[0]}'" if close else ""
        raise ArtifactError(f"--key: no tensor '{args.key}' in both files{near}")
    names = [n for n in common if n not in args.excepts.split(",")]
    names = [args.key] if args.key else names
    if not names:
        raise ArtifactError(f"{args.target} and {args.reference} have no tensor name in common")
    return names


def _fuzzy(a: Tensors, b: Tensors, tolerance: tuple[float, float], exact: bool) -> int:
    """Every tensor of `a` beside the nearest one of `b`, whatever its name."""
    found = {}
    for name, tensor in a.items():
        near = None
        for other, array in b.items():
            if array.shape != tensor.shape:
                continue
            verdict = compare_tensors(tensor, array, tolerance, exact)
            if near is None or _rank(verdict) > _rank(near[1]):
                near = other, verdict
        if near is None:
            found[name] = TensorVerdict("NOT_MATCH", note=f"none of shape {tensor.shape}")
            _print(name, found[name])
        else:
            found[name] = near[1]
            _print(f"{name} ~ {near[0]}", near[1])
    print(_summary(found))
    return 0 if all(verdict.passed for verdict in found.values()) else 3


def _rank(verdict: TensorVerdict) -> tuple[int, float]:
    """Larger is nearer."""
    steps = {"EQUAL": 3, "CLOSE": 2}
    cosine = verdict.figures[0] if verdict.figures else float(verdict.order or 0)
    return steps.get(verdict.word, 1 if verdict.figures else 0), cosine


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


def _load(path: Path) -> Tensors:
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
