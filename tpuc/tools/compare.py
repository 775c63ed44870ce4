"""tpuc-tool compare: two npz files of tensors, or two run folders, name by name.

Verdicts are those of TPU-MLIR's npz_tool: EQUAL; CLOSE (numpy.allclose, from 5 digits down to 3);
SIMILAR (cosine and euclidean similarity above the tolerances); NOT_SIMILAR.

    cos    = <a, b> / (|a| |b|)
    euclid = 1 - |a - b| / (|(a + b) / 2| + 1e-7)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tpuc.errors import ArtifactError
from tpuc.evaluation.metrics import cosine, sqnr

__all__ = ["SUMMARY", "add_arguments", "execute", "verdict"]

SUMMARY = "compare two npz files, or the reports of two run folders, layer by layer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("target", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument(
        "--tolerance", default="0.99,0.99", metavar="COS,EUCLID", help="default 0.99,0.99"
    )
    parser.add_argument("--excepts", default="", help="names to leave out, separated by commas")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="every tensor, not only bad ones"
    )


def verdict(a: np.ndarray, b: np.ndarray, cos: float, euclid: float) -> tuple[str, str]:
    """(verdict, figures) of a target and a reference tensor of one shape."""
    if np.array_equal(a, b, equal_nan=True):
        return "EQUAL", ""
    x = np.nan_to_num(a.astype(np.float64), nan=0.0, posinf=1e4, neginf=-1e4).reshape(-1)
    y = np.nan_to_num(b.astype(np.float64), nan=0.0, posinf=1e4, neginf=-1e4).reshape(-1)
    figures = (
        cosine(x, y),
        1.0 - float(np.linalg.norm(x - y) / (np.linalg.norm((x + y) / 2) + 1e-7)),
        sqnr(y, x),
    )
    text = f"cosine {figures[0]:.6f}, euclid {figures[1]:.6f}, sqnr {figures[2]:.3f} dB"
    for digits in (5, 4, 3):
        if np.allclose(x, y, rtol=10.0**-digits, atol=1e-8):
            return "CLOSE", text
    good = figures[0] > cos and figures[1] > euclid
    return ("SIMILAR" if good else "NOT_SIMILAR"), text


def execute(args: argparse.Namespace) -> int:
    """Compare; status 3 if a tensor is not similar.

    Raises
    ------
    ArtifactError : a file can not be read, or the two have no name in common
    """
    try:
        cos, euclid = (float(v) for v in args.tolerance.split(",")[:2])
    except ValueError as error:
        raise ArtifactError(
            f"--tolerance: '{args.tolerance}'; expected two numbers, for example 0.99,0.9"
        ) from error
    if args.target.is_dir() and args.reference.is_dir():
        return _folders(args.target, args.reference)
    a, b = _load(args.target), _load(args.reference)
    names = [n for n in b if n in a and n not in args.excepts.split(",")]
    if not names:
        raise ArtifactError(f"{args.target} and {args.reference} have no tensor name in common")
    failed = 0
    counts: dict[str, int] = {}
    for name in names:
        if a[name].size != b[name].size:
            word, text = "NOT_SIMILAR", f"shapes {a[name].shape} and {b[name].shape}"
        else:
            word, text = verdict(a[name], b[name].reshape(a[name].shape), cos, euclid)
        failed += word == "NOT_SIMILAR"
        counts[word] = counts.get(word, 0) + 1
        if args.verbose or word == "NOT_SIMILAR":
            print(f"[{name}] {word}  {text}")
    print(
        ", ".join(f"{count} {word}" for word, count in counts.items()), f"of {len(names)} tensors"
    )
    return 3 if failed else 0


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
