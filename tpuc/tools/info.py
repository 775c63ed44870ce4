"""tpuc-tool info: what is in a bmodel, a table or a run folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tpuc.errors import ArtifactError

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "say what is in a bmodel, a calibration table, a quantize table or a run folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("path", type=Path)
    parser.add_argument("--all", action="store_true", help="every op, too")
    parser.add_argument(
        "--disassemble", action="store_true", help="the chip instructions of a bmodel instead"
    )


def execute(args: argparse.Namespace) -> int:
    """Print it.

    Raises
    ------
    ArtifactError : there is nothing, or nothing that tpuc knows
    """
    path: Path = args.path
    if path.is_dir():
        print(_folder(path))
    elif not path.is_file():
        raise ArtifactError(f"{path}: no such file or folder")
    elif args.disassemble:
        print(_instructions(path))
    elif path.suffix == ".bmodel":
        from tpuc.backends.bmodel import info_text

        print(info_text(path, args.all))
    else:
        print(_table(path, args.all))
    return 0


def _instructions(path: Path) -> str:
    from tpuc.backends.bm1684x import decode_stream, disassemble, estimate
    from tpuc.backends.bmodel import read_bmodel

    bmodel = read_bmodel(path)
    if bmodel.streams is None:
        raise ArtifactError(
            f"'{path}': has no chip instructions; expected a bmodel with some. "
            "Hint: the report says which op has none"
        )
    lines = disassemble(*bmodel.streams, bmodel.graph)
    tiu, dma = bmodel.streams
    time = estimate(decode_stream(tiu, "tiu"), decode_stream(dma, "dma"))
    busy = "TIU {:,}, DMA {:,}".format(*time.busy)
    return "\n".join([*lines, f"predicted {time.total:,} cycles; at work: {busy}"])


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
