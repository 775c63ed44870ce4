"""Reads the MLIR text of a Graph[top], written by us or by TPU-MLIR."""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tpuc.errors import GraphError, ModelError
from tpuc.ir.graph import Graph
from tpuc.ir.node import Attr, Node, Value
from tpuc.ir.ops import TOP_OPS
from tpuc.ir.shapes import infer_shapes
from tpuc.ir.spec import REQUIRED, A
from tpuc.ir.types import DType
from tpuc.ir.verify import verify

__all__ = ["load_mlir", "parse_mlir", "weight_file"]

_OP = re.compile(
    r'^\s*(?P<res>%[\w:, %]+?) = "top\.(?P<op>\w+)"\((?P<args>[^)]*)\)'
    r"(?: \{(?P<attrs>.*)\})? : \((?P<ins>.*?)\) -> (?P<outs>.*) loc\((?P<loc>[^)]*)\)$"
)
_LOC = re.compile(r'^(#loc\d*) = loc\((?:"(?P<name>.*)"|fused\[(?P<fused>.*)\]|unknown)\)$')
_TENSOR = re.compile(r"tensor<([^>]*?)x?f32>|tensor<[^<>]*(?:<[^<>]*(?:<[^<>]*>)?[^<>]*>)?>|none")
_ATTR = re.compile(r'(\w+) = ("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,\[\]"]+)(?:, |$)')


def parse_mlir(text: str, weights: Mapping[str, np.ndarray], where: str = "MLIR text") -> Graph:
    """Build a Graph[top] from its text.

    Raises
    ------
    ModelError : the text is not what TPU-MLIR writes, has an op that tpuc lacks, or a weight is
        missing or has another size; the message names the line
    """
    lines = text.splitlines()
    locs = _locations(lines)
    head = re.search(r'^module @("[^"]*"|\S+) attributes \{(.*)\} \{', text, re.M)
    if head is None:
        raise ModelError(f"{where}: no 'module @name attributes {{...}}' line; expected Top MLIR")
    marks = dict(re.findall(r'module\.(platform|postprocess) = "(\w+)"', head[2]))
    graph = Graph(_unescape(head[1].strip('"')), "top", {"platform": "ONNX", **marks})
    values: dict[str, Value | None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip().startswith("return "):
            names = line.split(":")[0].split("return", 1)[1]
            graph.outputs = [_known(values, n.strip(), where, number) for n in names.split(",")]
        elif '= "top.' in line:
            _parse_op(graph, line, f"{where}, line {number}", locs, values, weights)
        elif re.match(r"\s*%\S+ = \"\w+\.", line):
            raise ModelError(f"{where}, line {number}: only the Top dialect can be read")
    try:
        return verify(graph, "top")
    except GraphError as error:
        raise ModelError(f"{where}: {error}") from error


def load_mlir(path: Path) -> Graph:
    """Read `<name>.mlir` and the npz of weights that its `module.weight_file` names, beside it.

    Raises
    ------
    ModelError : a file is missing or malformed
    """
    text, store = _text(path), weight_file(path)
    if store is None:
        return parse_mlir(text, {}, str(path))
    try:
        with store.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            weights = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{store}: not a readable npz of weights ({error})") from error
    return parse_mlir(text, weights, str(path))


def weight_file(path: Path) -> Path | None:
    """The npz that holds the weights of an MLIR file; None if it has none.

    Raises
    ------
    ModelError : as `load_mlir`
    """
    text = _text(path)
    state = re.search(r'module\.state = "([^"]+)"', text)
    if state is not None and not state[1].startswith("TOP"):
        raise ModelError(
            f"{path}: module.state is {state[1]}; expected TOP_F32: it is lowered already"
        )
    found = re.search(r'module\.weight_file = "([^"]+)"', text)
    if found is None:
        raise ModelError(f"{path}: has no module.weight_file; expected Top MLIR")
    store = path.parent / found[1]
    if found[1] != store.name:
        raise ModelError(f"{path}: module.weight_file is '{found[1]}'; expected a file beside it")
    if store.is_file():
        return store
    if '"top.Weight"' in text:
        raise ModelError(f"{path}: its weight file {store} is missing")
    return None


def _text(path: Path) -> str:
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected an MLIR file of TPU-MLIR's Top dialect")
    return path.read_text(encoding="utf-8", errors="replace")


def _locations(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    fused: dict[str, list[str]] = {}
    for line in lines:
        match = _LOC.match(line)
        if match and match["name"] is not None:
            found[match[1]] = [_unescape(match["name"])]
        elif match and match["fused"]:
            fused[match[1]] = match["fused"].split(", ")
    for key, parts in fused.items():
        found[key] = [name for p in parts for name in found.get(p, [p.strip('"')])]
    return found


def _unescape(text: str) -> str:
    """Undo MLIR's escapes: two hexadecimal digits behind a backslash are one byte."""
    if "\\" not in text:
        return text
    raw = re.sub(
        rb"\\(\\|[0-9A-Fa-f]{2})",
        lambda m: m[1] if m[1] == b"\\" else bytes.fromhex(m[1].decode()),
        text.encode(),
    )
    return raw.decode(errors="replace")


def _known(values: Mapping[str, Value | None], name: str, where: str, line: int) -> Value:
    value = values.get(name)
    if value is None:
        raise ModelError(f"{where}, line {line}: {name} is not defined")
    return value


def _parse_op(
    graph: Graph,
    line: str,
    where: str,
    locs: Mapping[str, list[str]],
    values: dict[str, Value | None],
    weights: Mapping[str, np.ndarray],
) -> None:
    match = _OP.match(line)
    if match is None:
        raise ModelError(f"{where}: not an op of the Top dialect: {line.strip()[:80]}")
    op, result = match["op"], match["res"]
    if op == "None":
        values[result] = None
        return
    names = locs.get(match["loc"].strip(), [match["loc"].strip('"')])
    if op == "Weight":
        values[result] = _weight(names[0], match["outs"], weights, where)
        return
    if op not in TOP_OPS:
        raise ModelError(f"{where}: op top.{op} is not supported")
    attrs = _parse_attrs(op, match["attrs"] or "", where)
    operands = [] if op == "Input" else _operands(match["args"], values, where)
    shapes = [
        _dims(m, where)
        for m in _TENSOR.finditer(match["outs"])
        if m[0] != "none" and "*" not in m[0]
    ]
    if op == "Deconv" and len(operands) > 1:
        operands[1] = _filters_by_output(operands[1], attrs.get("group"))
    elif op == "Tile":
        operands, attrs = operands[:1], attrs or {"tile": _repeats(operands, shapes, where)}
    dtype = DType.SI32 if op == "Input" and "xsi32>" in match["ins"] else DType.F32
    outputs = [Value(n, shape, dtype) for n, shape in zip(names, shapes or [()] * len(names))]
    node = graph.add(op, operands, outputs, attrs)
    if not shapes:
        _infer(node, where)
    values.update(zip(_references(result, len(outputs)), outputs))


def _references(result: str, count: int) -> list[str]:
    """How later lines refer to results written `%5`, `%5:2` or `%a, %b`."""
    if "," in result:
        return [r.strip() for r in result.split(",")]
    if ":" not in result:
        return [result]
    return [f"{result.split(':')[0]}#{i}" for i in range(count)]


def _filters_by_output(filters: Value | None, group: Attr | None) -> Value | None:
    """A Deconv filter declared as (O/g, I, ...), as the same numbers in shape (O, I/g, ...)."""
    if filters is None or filters.data is None or not isinstance(group, int) or group < 2:
        return filters
    outs, ins, *kernel = filters.shape
    shape = (outs * group, ins // group, *kernel)
    return (
        Value(filters.name, shape, data=filters.data.reshape(shape))
        if ins % group == 0
        else filters
    )


def _repeats(
    operands: list[Value | None], shapes: list[tuple[int, ...]], where: str
) -> tuple[int, ...]:
    """How often a Tile without attributes repeats each axis: by its shapes, or by operand 1."""
    source, counts = (*operands, None, None)[:2]
    if source is not None and shapes:
        after, before = shapes[0], (1,) * (len(shapes[0]) - len(source.shape)) + source.shape
        if len(before) == len(after) and all(b and not a % b for a, b in zip(after, before)):
            return tuple(a // b for a, b in zip(after, before))
    if counts is not None and counts.data is not None:
        return tuple(int(n) for n in counts.data.ravel())
    raise ModelError(f"{where}: top.Tile lacks its attribute 'tile', and its shapes do not tell it")


def _infer(node: Node, where: str) -> None:
    """Give the results of an unranked op (`tensor<*xf32>`) their shapes."""
    try:
        shapes = infer_shapes(node)
    except GraphError as error:
        raise ModelError(f"{where}: {node} has no shape and none follows ({error})") from error
    for out, shape in zip(node.outputs, shapes):
        out.shape = shape


def _operands(args: str, values: Mapping[str, Value | None], where: str) -> list[Value | None]:
    found = [_operand(values, a.strip(), where) for a in args.split(",") if a.strip()]
    while found and found[-1] is None:
        found.pop()
    return found


def _operand(values: Mapping[str, Value | None], name: str, where: str) -> Value | None:
    if name not in values:
        raise ModelError(f"{where}: operand {name} is not defined")
    return values[name]


def _dims(found: re.Match[str], where: str) -> tuple[int, ...]:
    if not re.fullmatch(r"(\d+(x\d+)*)?", found[1] or ""):
        raise ModelError(f"{where}: {found[0]} is not a float32 tensor of a fixed shape")
    return tuple(map(int, found[1].split("x"))) if found[1] else ()


def _weight(name: str, declared: str, weights: Mapping[str, np.ndarray], where: str) -> Value:
    found = _TENSOR.search(declared)
    if found is None:
        raise ModelError(f"{where}: weight '{name}' has no tensor type")
    shape = _dims(found, where)
    if name not in weights:
        raise ModelError(f"{where}: weight '{name}' is not in the weight file")
    data = np.asarray(weights[name])
    if data.size != math.prod(shape):
        raise ModelError(f"{where}: weight '{name}' has {data.size} elements; expected {shape}")
    return Value(name, shape, data=np.ascontiguousarray(data, np.float32).reshape(shape))


def _parse_attrs(op: str, text: str, where: str) -> dict[str, Attr]:
    rows = TOP_OPS[op].attrs
    attrs: dict[str, Attr] = {}
    for key, raw in _ATTR.findall(text):
        if key not in rows:
            raise ModelError(f"{where}: top.{op} has an unknown attribute '{key}'")
        attrs[key] = _value(rows[key], raw.strip(), where)
    for key, row in rows.items():
        if row.default is REQUIRED and key not in attrs and op != "Tile":
            raise ModelError(f"{where}: top.{op} lacks its attribute '{key}'")
    return attrs


def _value(row: A, raw: str, where: str) -> Attr:
    if row.kind.endswith("[]"):
        items = [i.strip() for i in raw.strip("[]").split(",") if i.strip()]
        return tuple(_scalar(row.kind[:-2], i, where) for i in items)  # type: ignore[return-value]
    return _scalar(row.kind, raw.split(" : ")[0], where)


def _scalar(kind: str, raw: str, where: str) -> bool | int | float | str:
    try:
        if kind == "bool":
            return {"true": True, "false": False}[raw]
        if kind == "str":
            return raw.strip('"')
        if kind == "f64":
            if raw.startswith("0x"):
                return float(struct.unpack(">d", bytes.fromhex(raw[2:].rjust(16, "0")))[0])
            return float(raw)
        return int(raw)
    except (KeyError, ValueError, struct.error) as error:
        raise ModelError(f"{where}: '{raw}' is not a {kind}") from error
