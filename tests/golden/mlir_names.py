"""Reads of Top MLIR text what matching needs: names, types, order and who reads whom.

No shapes, no contents: so an op that tpuc's table lacks can stand in it.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np

from tpuc.ir import Graph, Value

__all__ = ["FOLDER", "graph_of", "read", "vendor_table"]

FOLDER = Path(__file__).parent / "patterns"

_OP = re.compile(r'^\s*(%[\w:, %]+?) = "top\.(\w+)"\(([^)]*)\)(.*) loc\((#?\w+)\)$')
_LOC = re.compile(r'^(#loc\d*) = loc\((?:"(.*)"|fused\[(.*)\])\)$')


def read(net: str) -> Graph:
    """The graph of a fixture network."""
    return graph_of(gzip.decompress((FOLDER / f"{net}.mlir.gz").read_bytes()).decode())


def vendor_table(name: str) -> str:
    """The table that TPU-MLIR wrote, without the line that tells the time."""
    return (FOLDER / f"{name}.qtable").read_text(encoding="utf-8")


def graph_of(text: str) -> Graph:
    """The graph of Top MLIR text."""
    locs = {m[1]: (m[2], m[3]) for m in map(_LOC.match, text.splitlines()) if m}
    graph, values = Graph("net"), {}
    for line in text.splitlines():
        if line.strip().startswith("return "):
            names = line.split(":")[0].split("return", 1)[1].split(",")
            graph.outputs = [values[n.strip()] for n in names]
        if not (found := _OP.match(line)):
            continue
        result, op, operands, rest, loc = found.groups()
        names = _names(locs, loc)
        outputs = [Value(name, ()) for name in names]
        if op == "Weight":
            outputs[0].data = np.zeros(0, np.float32)
        elif op != "None":
            read_ = [values.get(o.strip()) for o in operands.split(",")]
            graph.add(op, [] if op == "Input" else read_, outputs, dict(_attrs(rest)))
        if op != "None":
            values.update(zip(_results(result, len(outputs)), outputs, strict=True))
    return graph


def _results(text: str, count: int) -> list[str]:
    """`%5` or `%5:2` or `%values, %indices`: how operands name the results."""
    if "," in text:
        return [part.strip() for part in text.split(",")][:count]
    base = text.split(":")[0]
    return [base] if ":" not in text else [f"{base}#{i}" for i in range(count)]


def _names(locs: dict[str, tuple[str | None, str | None]], loc: str) -> list[str]:
    name, parts = locs.get(loc, (loc, None))
    if parts is None:
        return [name or loc]
    return [
        locs[p.strip()][0] if p.strip() in locs else p.strip().strip('"') for p in parts.split(",")
    ]


def _attrs(rest: str) -> list[tuple[str, str]]:
    return re.findall(r'(\w+) = "(\w*)"', rest)
