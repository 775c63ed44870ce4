"""tpuc-tool run: execute a bmodel on the simulator."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np

from tpuc.errors import DataError
from tpuc.files import write_whole
from tpuc.ir import Graph

__all__ = ["SUMMARY", "add_arguments", "execute"]

SUMMARY = "execute a bmodel on the simulator"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bmodel", type=Path, help="file written by tpuc")
    parser.add_argument("--input", type=Path, required=True, help="picture, npy, or npz of inputs")
    parser.add_argument("--output", type=Path, help="npz to write; else the outputs are summarized")
    parser.add_argument(
        "--all", action="store_true", help="every tensor, dequantized float32, under its op name"
    )


def execute(args: argparse.Namespace) -> int:
    """Run it.

    Raises
    ------
    ArtifactError, DataError : the bmodel or the input can not be used
    """
    from tpuc.pipeline import load

    model = load(args.bmodel)
    graph = model.bmodel.graph
    names = [v.name for v in graph.values()] if args.all else None
    results = model.run(_feeds(args.input, graph), observe=names, dequantize=True)
    if args.output is not None:
        buffer = io.BytesIO()
        np.savez(buffer, **results)  # type: ignore[arg-type]
        write_whole(args.output, buffer.getvalue())
        print(f"{len(results)} tensors in {args.output}")
        return 0
    for name, array in results.items():
        flat = array.reshape(-1)
        top = np.argsort(-flat, kind="stable")[:5]
        best = ", ".join(f"{i}: {flat[i]:.5g}" for i in top)
        print(f"{name}  {list(array.shape)}  min {flat.min():.5g}  max {flat.max():.5g}  [{best}]")
    return 0


def _feeds(path: Path, graph: Graph) -> dict[str, np.ndarray]:
    from tpuc.dataset import load_sample

    if not path.is_file():
        raise DataError(f"--input: no such file: {path}")
    return dict(load_sample((path,), tuple(n for n in graph.nodes if n.op == "Input")))
