"""MLIR text of a graph, as TPU-MLIR writes it: `<name>.mlir` plus an npz of weights.

Our Graph[top] files go unchanged through TPU-MLIR's own programs. A Graph[tpu] is printed in the
same form for people to read; it is not meant to be parsed.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tpuc.ir.double_text import format_double
from tpuc.ir.graph import Graph
from tpuc.ir.node import Attr, Node, Value
from tpuc.ir.ops import spec_of
from tpuc.ir.types import DType

__all__ = ["print_mlir", "save_weights"]


def _attr(kind: str, value: Attr) -> str:
    if kind.endswith("[]"):
        items = value if isinstance(value, tuple) else (value,)
        return "[" + ", ".join(_plain(kind[:-2], v) for v in items) + "]"
    text = _plain(kind, value)
    return f"{text} : {kind}" if kind in ("i64", "i32", "si32", "f64") else text


def _plain(kind: str, value: object) -> str:
    if kind == "f64":
        return format_double(float(value))  # type: ignore[arg-type]
    if kind == "bool":
        return "true" if value else "false"
    return f'"{value}"' if kind == "str" else str(value)


def _type(value: Value, declared: tuple[int, ...] | None = None) -> str:
    shape = value.shape if declared is None else declared
    dims = "x".join(map(str, shape)) + ("x" if shape else "")
    if value.quant is None:
        return f"tensor<{dims}{value.dtype}>"
    zero = f":{value.quant.zero_point}" if value.quant.zero_point else ""
    storage = value.dtype.value.lstrip("s").replace("ui", "u")
    return f"tensor<{dims}!quant.uniform<{storage}:f32, {value.quant.scale!r}{zero}>>"


def _result_type(node: Node, value: Value) -> str:
    """Type of a result; an input of whole numbers is float32 behind its Input op."""
    text = _type(value)
    whole = node.op == "Input" and value.dtype == DType.SI32 and value.quant is None
    return text.replace("si32>", "f32>") if whole else text


def _escape(name: str) -> str:
    """MLIR's escapes: bytes that are not printable ASCII, and quotes, in hexadecimal."""
    plain = name.replace("\\", "\\\\").encode()
    return "".join(chr(b) if 32 <= b < 127 and b != 34 else f"\\{b:02X}" for b in plain)


def _symbol(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w$.]*", name, re.ASCII) else f'"{_escape(name)}"'


def _weight_names(graph: Graph) -> dict[int, str]:
    """Name in the npz of each weight, by id; equal names of different numbers get a suffix."""
    taken: dict[str, np.ndarray] = {}
    names: dict[int, str] = {}
    for value in graph.weights():
        assert value.data is not None
        name, count = value.name, 0
        while name in taken and not _same(taken[name], value.data):
            count += 1
            name = f"{value.name}_{count}"
        taken[name] = value.data
        names[id(value)] = name
    return names


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or (a.size == b.size and bool(np.array_equal(a.reshape(-1), b.reshape(-1))))


def _filters_of_groups(graph: Graph) -> dict[int, tuple[int, ...]]:
    """Shapes of grouped Deconv filters by id: (O, I/g, ...) here, (O/g, I, ...) in TPU-MLIR."""
    found: dict[int, tuple[int, ...]] = {}
    for node in graph.nodes:
        filters = node.inputs[1] if node.op == "Deconv" and graph.dialect == "top" else None
        if filters is not None and filters.is_weight:
            group = node.integer("group")
            outs, ins, *kernel = filters.shape
            found[id(filters)] = (outs // group, ins * group, *kernel)
    return found


class _Printer:
    """Numbers values and locations while it writes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.weight_names = _weight_names(graph)
        self.declared = _filters_of_groups(graph)
        self.lines: list[str] = []
        self.numbers: dict[int, str] = {}
        self.locs: dict[str, int] = {}
        self.fused: list[tuple[int, list[int]]] = []
        self.count = 0
        self.none = ""

    def fresh(self) -> str:
        self.count += 1
        return f"%{self.count - 1}"

    def loc(self, name: str) -> int:
        return self.locs.setdefault(name, len(self.locs) + 1)

    def text(self, weight_file: str, attrs: str) -> str:
        graph = self.graph
        if any(None in self.operands_of(n) for n in graph.nodes):
            self.none = self.fresh()
            self.lines.append(f'    {self.none} = "top.None"() : () -> none loc(#loc)')
        for node in graph.nodes:
            self.node(node)
        args = ", ".join(
            f"%arg{i}: {_type(v)} loc(unknown)" for i, v in enumerate(self.graph.inputs)
        )
        results = ", ".join(_type(v) for v in graph.outputs)
        many = f"({results})" if len(graph.outputs) > 1 else results
        returned = ", ".join(self.numbers[id(v)] for v in graph.outputs)
        head = [
            "#loc = loc(unknown)",
            f"module @{_symbol(graph.name)} attributes "
            f'{{{attrs}module.weight_file = "{weight_file}"}} {{',
            f"  func.func @main({args}) -> {many} {{",
        ]
        tail = [f"    return {returned} : {results} loc(#loc)", "  } loc(#loc)", "} loc(#loc)"]
        table = [f'#loc{i} = loc("{_escape(name)}")' for name, i in self.locs.items()]
        for i, (_, members) in enumerate(self.fused):
            inner = ", ".join(f"#loc{m}" for m in members)
            table.append(f"#loc{len(self.locs) + 1 + i} = loc(fused[{inner}])")
        text = "\n".join([*head, *self.lines, *tail, *table]) + "\n"
        for i, (mark, _) in enumerate(self.fused):
            text = text.replace(f"#fused{mark}.", f"#loc{len(self.locs) + 1 + i}")
        return text

    def operands_of(self, node: Node) -> list[Value | None]:
        """Operands with None for the optional ones left out."""
        names = spec_of(node.op, self.graph.dialect).operands
        missing = 0 if any(o.endswith("*") for o in names) else len(names) - len(node.inputs)
        return [*node.inputs, *[None] * missing]

    def operand(self, value: Value | None) -> tuple[str, str]:
        if value is None:
            return self.none, "none"
        if value.producer is not None and value.producer.op == "Input":
            return self.numbers[id(value)], _result_type(value.producer, value)
        kind = _type(value, self.declared.get(id(value)))
        if id(value) not in self.numbers:  # a weight at its first use
            number = self.fresh()
            self.numbers[id(value)] = number
            loc = self.loc(self.weight_names[id(value)])
            self.lines.append(f'    {number} = "top.Weight"() : () -> {kind} loc(#loc{loc})')
        return self.numbers[id(value)], kind

    def node(self, node: Node) -> None:
        dialect = "top" if node.op == "Input" else self.graph.dialect
        spec = spec_of(node.op, self.graph.dialect)
        if node.op == "Input":
            index = self.graph.inputs.index(node.output)
            operands = [(f"%arg{index}", _type(node.output))]
        else:
            operands = [self.operand(v) for v in self.operands_of(node)]
        result = self.fresh()
        types = ", ".join(_result_type(node, v) for v in node.outputs)
        if node.op == "Arg" and len(node.outputs) == 1:
            result, types = f"{result}:2", f"{types}, none"
        many = len(node.outputs) > 1 or node.op == "Arg"
        if len(node.outputs) > 1:
            for i, out in enumerate(node.outputs):
                self.numbers[id(out)] = f"{result}#{i}"
            members = [self.loc(v.name) for v in node.outputs]
            self.fused.append((len(self.fused), members))
            loc = f"#fused{len(self.fused) - 1}."
            result = f"{result}:{len(node.outputs)}"
        else:
            self.numbers[id(node.output)] = result.replace(":2", "#0")
            loc = f"#loc{self.loc(node.name)}"
        attrs = ", ".join(
            f"{k} = {_attr(row.kind, node.attrs[k])}"
            for k, row in spec.attrs.items()
            if k in node.attrs
        )
        body = f" {{{attrs}}}" if attrs else ""
        arrow = f"({types})" if many else types
        self.lines.append(
            f'    {result} = "{dialect}.{node.op}"({", ".join(n for n, _ in operands)}){body}'
            f" : ({', '.join(t for _, t in operands)}) -> {arrow} loc({loc})"
        )


def print_mlir(graph: Graph, weight_file: str) -> str:
    """MLIR text of a graph whose weights go to `weight_file` (a name, not a path)."""
    platform = graph.attrs.get("platform", "ONNX")
    boxes = graph.attrs.get("postprocess")  # TPU-MLIR runs such an op only if the module says so
    boxes = f'module.postprocess = "{boxes}", ' if boxes else ""
    if graph.dialect == "top":
        attrs = (
            f'module.chip = "ALL", module.platform = "{platform}", {boxes}'
            'module.state = "TOP_F32", module.top_run_mode = "STATIC", '
        )
    else:
        attrs = "".join(f'module.{k} = "{v}", ' for k, v in sorted(graph.attrs.items()))
    return _Printer(graph).text(weight_file, attrs)


def save_weights(graph: Graph, path: Path) -> None:
    """Write every weight under its name into an npz.

    Notes
    -----
    Entries carry a fixed date, so equal weights give equal bytes.
    """
    import zipfile

    names = _weight_names(graph)
    written: set[str] = set()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for value in graph.weights():
            assert value.data is not None
            name = names[id(value)]
            if name in written:
                continue
            written.add(name)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(value.data))
