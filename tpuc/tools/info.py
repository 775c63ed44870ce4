"""tpuc-tool info: what is in a bmodel, a table or a run folder; two run folders side by side."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tpuc.errors import ArtifactError

if TYPE_CHECKING:
    from tpuc.reports import Run

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "say what is in a bmodel, a table or a run folder; compare two run folders"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument(
        "--compare", type=Path, nargs=2, metavar=("RUN_A", "RUN_B"),
        help="two run folders: configuration, accuracy, layers, cost, time",
    )  # fmt: skip
    parser.add_argument("--html", type=Path, metavar="FILE", help="the comparison as a page, too")
    parser.add_argument("--all", action="store_true", help="every op, too")
    parser.add_argument(
        "--disassemble", action="store_true", help="the chip instructions of a bmodel instead"
    )
    parser.add_argument(
        "--plan", action="store_true", help="how they were made: memory, tiles, schedule"
    )


def execute(args: argparse.Namespace) -> int:
    """Print it.

    Raises
    ------
    ArtifactError : there is nothing, or nothing that tpuc knows
    """
    if args.compare is not None:
        return _compare(args)
    if args.path is None or args.html is not None:
        missing = (
            "a path" if args.path is None else "--compare RUN_A RUN_B, which --html belongs to"
        )
        raise ArtifactError(f"info: expected {missing}. Hint: tpuc-tool info --help")
    path: Path = args.path
    _check_instructions(args)
    if path.is_dir():
        print(_folder(path))
    elif not path.is_file():
        raise ArtifactError(f"{path}: no such file or folder")
    elif args.disassemble:
        print(_instructions(path))
    elif args.plan:
        print(_plan(path))
    elif path.suffix == ".bmodel":
        from tpuc.backends.bmodel import info_text

        print(info_text(path, args.all))
    else:
        print(_table(path, args.all))
    return 0


def _check_instructions(args: argparse.Namespace) -> None:
    """Refuse what would be passed over in silence."""
    if args.disassemble and args.plan:
        raise ArtifactError("info: expected --disassemble or --plan, not both")
    if (args.disassemble or args.plan) and args.path.is_file() and args.path.suffix != ".bmodel":
        raise ArtifactError(f"{args.path}: expected a bmodel for --disassemble and --plan")
    if (args.disassemble or args.plan) and args.path.is_dir():
        raise ArtifactError(f"{args.path}: is a folder; expected a bmodel in it")


def _compare(args: argparse.Namespace) -> int:
    from tpuc.files import write_whole
    from tpuc.reports import compare_runs, comparison_html, comparison_text

    if args.path is not None or args.disassemble or args.plan:
        raise ArtifactError("info: --compare takes two run folders and nothing else")
    runs = [_run(folder) for folder in args.compare]
    try:
        found = compare_runs(*runs)
    except (KeyError, TypeError) as error:
        said = f"{args.compare[0]}, {args.compare[1]}: a report.json is damaged ({error!r})"
        raise ArtifactError(said) from error
    if args.html is not None:
        write_whole(args.html, comparison_html(found))
    print(comparison_text(found, args.all))
    return 0


def _run(folder: Path) -> Run:
    from tpuc.reports import Run

    contents = []
    for name in ("report.json", "manifest.json"):
        try:
            contents.append(json.loads((folder / name).read_text()))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{folder}: has no usable {name} ({error})") from error
    return Run(str(folder), contents[0], contents[1].get("config", {}))


def _instructions(path: Path) -> str:
    from tpuc.backends.bm1684x import decode_stream, disassemble, estimate
    from tpuc.backends.bmodel import read_bmodel

    bmodel = read_bmodel(path)
    if bmodel.streams is None:
        raise _no_instructions(path)
    lines = disassemble(*bmodel.streams, bmodel.graph)
    tiu, dma = bmodel.streams
    time = estimate(decode_stream(tiu, "tiu"), decode_stream(dma, "dma"))
    busy = "TIU {:,}, DMA {:,}".format(*time.busy)
    return "\n".join([*lines, f"predicted {time.total:,} cycles; at work: {busy}"])


def _plan(path: Path) -> str:
    from tpuc.backends.bm1684x import plan_text
    from tpuc.backends.bmodel import read_bmodel

    bmodel = read_bmodel(path)
    if bmodel.streams is None:
        raise _no_instructions(path)
    return "\n".join(plan_text(bmodel.graph))


def _no_instructions(path: Path) -> ArtifactError:
    return ArtifactError(
        f"'{path}': has no chip instructions; expected a bmodel with some. "
        "Hint: the report says which op has none"
    )


def _folder(path: Path) -> str:
    report = path / "report.json"
    if not report.is_file():
        raise ArtifactError(f"{path}: has no report.json; expected a run folder")
    try:
        content = json.loads(report.read_text())
        accuracy, cost = content["accuracy"], content["cost"]
        lines = [
            f"recipe     {content['recipe']}",
            f"model      {content['model']['name']}",
            f"build      {content['quantize']['mode']} for {content['processor']}",
            f"cost       {cost['macs']:,} MACs, {cost['weight_bytes']:,} bytes of weights",
        ]
        if accuracy["output_cos_mean"] is not None:
            mean, least = accuracy["output_cos_mean"], accuracy["output_cos_min"]
            lines.append(f"cosine     mean {mean:.5f}, min {least:.5f}")
        if accuracy["top1"] is not None:
            lines.append(f"top-1      float {accuracy['float_top1']:.4f}, {accuracy['top1']:.4f}")
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{report}: damaged, or of another version ({error})") from error
    files = sorted(p for p in path.iterdir() if p.is_file())
    return "\n".join([*lines, *(f"{p.stat().st_size:>12}  {p.name}" for p in files)])


def _table(path: Path, every: bool) -> str:
    from tpuc.calibration import table as calibration
    from tpuc.errors import TableError
    from tpuc.search import qtable

    try:
        table = calibration.read(path)
    except TableError as error:
        try:
            choices = qtable.read(path).choices
        except TableError:
            choices = {}
        if not choices:
            raise error
        rows = [f"{name}  {c.mode}" for name, c in choices.items()]
        return "\n".join([f"quantize table, {len(rows)} ops", *(rows if every else rows[:10])])
    rows = [f"{n}  {r.threshold:g}  [{r.min:g}, {r.max:g}]" for n, r in table.ranges.items()]
    head = f"calibration table, {len(rows)} ops, method {table.method}, {table.sample_num} samples"
    return "\n".join([head, *(rows if every else rows[:10])])
