"""What `tpuc-tool info` says about a bmodel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tpuc.backends.bmodel.program import PROGRAM_VERSION
from tpuc.backends.bmodel.reader import Bmodel, Summary, TensorInfo, read_bmodel, read_summary
from tpuc.ir import Graph, Node, Value

__all__ = ["info", "info_text"]


def info(path: str | Path) -> dict[str, object]:
    """Facts of a bmodel as plain values.

    Raises
    ------
    ArtifactError : it can not be read or is damaged
    """
    summary, bmodel = _read(path)
    facts: dict[str, object] = {
        "path": str(summary.path),
        "version": summary.version,
        "chip": summary.chip,
        "size_bytes": summary.size,
        "nets": [
            {
                "name": net.name,
                "inputs": [_tensor(t) for t in net.inputs],
                "outputs": [_tensor(t) for t in net.outputs],
                "weight_bytes": net.weight_bytes,
                "weight_sha256": net.weight_digest,
                "instruction_bytes": net.instruction_bytes,
                "runtime_bytes": net.runtime_bytes,
            }
            for net in summary.nets
        ],
    }
    if bmodel is not None:
        facts["program"] = {
            "version": PROGRAM_VERSION,
            "sha256": bmodel.program_digest,
            "ops": len(bmodel.graph),
            "facts": dict(bmodel.facts),
        }
    return facts


def _read(path: str | Path) -> tuple[Summary, Bmodel | None]:
    summary = read_summary(path)
    if not any(net.is_ours for net in summary.nets):
        return summary, None
    return summary, read_bmodel(path)


def _tensor(tensor: TensorInfo) -> dict[str, object]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def info_text(path: str | Path, every: bool = False) -> str:
    """The same for reading; `every` adds the preprocessing, all ops and all weights.

    Raises
    ------
    ArtifactError : it can not be read or is damaged
    """
    summary, bmodel = _read(path)
    lines = [f"{summary.path}: bmodel {summary.version} for {summary.chip}, {summary.size:,} bytes"]
    for net in summary.nets:
        lines += ["", f"net {net.name}"]
        lines += [f"  input   {_line(t)}" for t in net.inputs]
        lines += [f"  output  {_line(t)}" for t in net.outputs]
        lines.append(f"  weights {net.weight_bytes:,} bytes, sha256 {net.weight_digest or 'none'}")
        if net.instruction_bytes or not net.is_ours:
            lines.append(f"  chip instructions {net.instruction_bytes:,} bytes")
    if bmodel is not None:
        lines += _program(bmodel, every)
    elif every:
        rows = [[n, f"{o:,}", f"{s:,}"] for net in summary.nets for n, o, s in net.weights]
        lines += ["", *_table(["weight", "offset", "bytes"], rows)]
    return "\n".join(lines) + "\n"


def _line(tensor: TensorInfo) -> str:
    text = f"{tensor.name}  {tensor.dtype} {list(tensor.shape)}"
    if tensor.dtype.startswith(("si", "ui")):
        text += f"  scale {tensor.scale:.7g}, zero point {tensor.zero_point}"
    return text


def _program(bmodel: Bmodel, every: bool) -> list[str]:
    graph = bmodel.graph
    native = any(net.instruction_bytes for net in bmodel.summary.nets)
    where = "for its simulator" if native else "for its simulator (no chip instructions)"
    lines = [
        "",
        f"program of tpuc, version {PROGRAM_VERSION}, {where}",
        f"  sha256  {bmodel.program_digest}",
        f"  ops     {len(graph)}: {_counts(graph)}",
    ]
    lines += [f"  {key}: {value}" for key, value in sorted(bmodel.facts.items())]
    if not every:
        return lines
    for node in graph.nodes:
        if node.op == "Input":
            lines += ["", f"preprocessing of {node.name}"]
            lines += [f"  {key}: {value}" for key, value in sorted(node.attrs.items())]
    lines += ["", *_table(["op", "name", "type", "shape", "scale", "weights"], map(_row, graph))]
    return lines


def _counts(graph: Graph) -> str:
    counts: dict[str, int] = {}
    for node in graph.nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {op}" for op, count in common)


def _row(node: Node) -> list[str]:
    out = node.output
    scale = "" if out.quant is None else f"{out.quant.scale:.7g}"
    weights = " ".join(_weight(v) for v in node.inputs if v is not None and v.is_weight)
    shape = "x".join(map(str, out.shape)) or "scalar"
    return [node.op, node.name, str(out.dtype), shape, scale, weights]


def _weight(value: Value) -> str:
    return f"{value.dtype}[{'x'.join(map(str, value.shape))}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    every = [list(head), *map(list, rows)]
    widths = [max(len(row[i]) for row in every) for i in range(len(head))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in every]
