"""Runs compiled networks: on our own executor, and on the vendor's chip simulator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tpuc.backends.bm1684x import Chip, Compiled, decode_stream
from tpuc.backends.bm1684x.check import legal_order
from tpuc.backends.bm1684x.command import GLOBAL
from tpuc.ir import Graph

Feeds = Mapping[str, np.ndarray]


def run_here(graph: Graph, compiled: Compiled, feeds: Feeds, first: str = "dma") -> Feeds:
    """Outputs as stored; `first` engine runs as far ahead as it may."""
    memory = np.zeros(len(compiled.coefficients) + compiled.context[1], np.uint8)
    memory[: len(compiled.coefficients)] = np.frombuffer(compiled.coefficients, np.uint8)
    for name, array in feeds.items():
        at = compiled.addresses[name] - GLOBAL
        memory[at : at + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    tiu, dma = decode_stream(compiled.tiu, "tiu"), decode_stream(compiled.dma, "dma")
    Chip(memory).run(legal_order(tiu, dma, first))
    found = {}
    for value in graph.outputs:
        at, kind = compiled.addresses[value.name] - GLOBAL, value.dtype.numpy
        raw = memory[at : at + value.size * kind.itemsize]
        found[value.name] = raw.view(kind).reshape(value.shape).copy()
    return found


def run_there(path: Path, graph: Graph, feeds: Feeds) -> Feeds:
    """Outputs as stored, from the vendor's runtime over its chip simulator."""
    folder = path.parent
    np.savez(folder / "in.npz", **feeds)
    vendor = Path(os.environ["TPUC_VENDOR"]) / "bin"
    line = [vendor / "model_runner", "--input", "in.npz", "--model", path, "--output", "out.npz"]
    env = {**os.environ, "PATH": f"{vendor}:{os.environ['PATH']}"}
    subprocess.run(
        [*line, "--out_fixed"], cwd=folder, env=env, check=True, capture_output=True, timeout=1800
    )
    with np.load(folder / "out.npz") as found:
        return {v.name: found[v.name].astype(v.dtype.numpy).reshape(v.shape) for v in graph.outputs}
