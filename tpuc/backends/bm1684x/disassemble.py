"""Streams as text: one line a command, in an order that the waits allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tpuc.backends.bm1684x.check import legal_order
from tpuc.backends.bm1684x.command import GLOBAL, LOCAL
from tpuc.backends.bm1684x.compile import compile_graph, why_not
from tpuc.backends.bm1684x.decode import Decoded, decode_stream
from tpuc.ir import Graph

__all__ = ["disassemble"]

_TYPES = {0: "i8", 1: "f16", 2: "f32", 3: "i16", 4: "i32", 5: "bf16", 6: "i4"}
_ARITH = {0: "mul", 2: "add", 3: "sub", 4: "max", 5: "min", 14: "cast", 15: "add_sat"}
_ARITH |= {12: "div", 16: "sub_sat", 19: "copy", 20: "mul_shift", 26: "abs"}
_WINDOW = {0: "depthwise", 1: "average", 4: "maximum"}
_FUNCTION = {12: "polynomial", 17: "reciprocal_root"}
_CHOOSE = {23: ">", 24: "=", 26: "<"}
_REQUANT = {0: "requant_float", 1: "requant", 3: "dequant"}


def disassemble(tiu: bytes, dma: bytes, graph: Graph | None = None) -> list[str]:
    """Lines of text for both streams.

    Parameters
    ----------
    graph : Graph, optional
        What the streams were made from; when it still gives the same bytes, each line ends with
        the name of its tensor.

    Raises
    ------
    ArtifactError : a stream is damaged
    """
    streams = {"tiu": decode_stream(tiu, "tiu"), "dma": decode_stream(dma, "dma")}
    notes = _notes(tiu, dma, graph)
    lines = []
    for command in legal_order(streams["tiu"], streams["dma"]):
        note = notes[command.engine][command.serial - 1] if notes else ""
        wait = f"after {command.wait}" if command.wait else ""
        text = _TEXTS.get(command.kind, _plain)(command)
        lines.append(f"{command.engine} {command.serial:<6}{wait:<13}{text:<86} {note}".rstrip())
    return lines


def _notes(tiu: bytes, dma: bytes, graph: Graph | None) -> Mapping[str, tuple[str, ...]]:
    if graph is None or why_not(graph) is not None:
        return {}
    again = compile_graph(graph)
    if (again.tiu, again.dma) != (tiu, dma):
        return {}
    return dict(zip(("tiu", "dma"), again.notes))


def _shape(c: Decoded, side: str) -> str:
    return "x".join(str(c[f"{side}_{axis}"]) for axis in "nchw")


def _typed(c: Decoded, side: str) -> str:
    return f"{_TYPES.get(c[f'{side}_type'], '?')}@{c[f'{side}_addr']:#x}"


def _result(c: Decoded) -> str:
    return f"{_typed(c, 'r')}[{_shape(c, 'r')}]"


def _moving(c: Decoded) -> str:
    pads = ",".join(str(c[f"pad_{side}"]) for side in ("top", "left", "bottom", "right"))
    kernel = f"{c['kernel_h']}x{c['kernel_w']} stride {c['stride_h']},{c['stride_w']}"
    return f"{_typed(c, 'a')}[{c['a_h']}x{c['a_w']}] kernel {kernel} pads {pads}"


def _conv(c: Decoded) -> str:
    return f"conv {_result(c)} = {_moving(c)} ic {c['a_c']} filter @{c['b_addr']:#x}"


def _window(c: Decoded) -> str:
    return f"{_WINDOW.get(c['sub'], 'window')} {_result(c)} = {_moving(c)}"


def _arith(c: Decoded) -> str:
    name = _ARITH.get(c["sub"], f"arith {c['sub']}")
    operands = [
        f"{c[f'{o}_addr']:#x}" if c[f"{o}_const"] else _typed(c, o) for o in "abc"[: c["operands"]]
    ]
    return f"{name} {_result(c)} = {', '.join(operands)}"


def _requant(c: Decoded) -> str:
    name = _REQUANT.get(c["sub"], f"requant {c['sub']}")
    words = f"{c['b_addr']:#x}, {c['c_addr']:#x}" if c["b_const"] else f"table @{c['b_addr']:#x}"
    return f"{name} {_result(c)} = {_typed(c, 'a')}, {words} rounding {c['rounding']}"


def _gather(c: Decoded) -> str:
    return f"look_up {_result(c)} = table @{c['a_addr']:#x}, index {_typed(c, 'b')}"


def _function(c: Decoded) -> str:
    terms = f", {c['b_n']} terms @{c['b_addr']:#x}" if c["sub"] == 12 else ""
    return f"{_FUNCTION.get(c['sub'], 'function')} {_result(c)} = {_typed(c, 'a')}{terms}"


def _choose(c: Decoded) -> str:
    a, b, yes, no = (
        f"{c[f'{o}_addr']:#x}" if c[f"{o}_const"] else f"@{c[f'{o}_addr']:#x}" for o in "abcd"
    )
    kind = _TYPES.get(c["c_type"], "?")
    test = f"{a} {_CHOOSE.get(c['sub'], '?')} {b}"
    return f"choose {kind}@{c['r_addr']:#x}[{_shape(c, 'r')}] = {yes} if {test} else {no}"


def _place(c: Decoded, side: str) -> str:
    address = c[f"{side}_low"] | c[f"{side}_high"] << 32
    if address >= GLOBAL:
        return f"global {address - GLOBAL:#x}"
    return f"local {address - LOCAL:#x}"


def _dma(c: Decoded) -> str:
    kind = f"{_TYPES.get(c['type'], '?')}[{_shape(c, 's')}]"
    return f"copy {kind} {_place(c, 's')} -> {_place(c, 'r')}"


def _dma_matrix(c: Decoded) -> str:
    far, near = ("r", "s") if c["r_high"] else ("s", "r")
    lanes = "x".join(str(c[f"{near}_{axis}"]) for axis in "ncw")
    kind = f"{_TYPES.get(c['type'], '?')}[{c[f'{far}_h']}x{c[f'{far}_w']} as {lanes}]"
    return f"copy {kind} {_place(c, 's')} -> {_place(c, 'r')}"


def _dma_gather(c: Decoded) -> str:
    kind = f"{_TYPES.get(c['type'], '?')}[{c['r_h']}x{c['r_w']}]"
    rows = f"{_place(c, 's')} by {_place(c, 'i')}"
    return f"gather rows {kind} {rows} -> {_place(c, 'r')}"


def _plain(c: Decoded) -> str:
    return f"{c.kind} {c['sub']}"


_TEXTS: dict[str, Callable[[Decoded], str]] = {
    "conv": _conv,
    "window": _window,
    "arith": _arith,
    "requant": _requant,
    "gather": _gather,
    "function": _function,
    "choose": _choose,
    "dma": _dma,
    "dma_gather": _dma_gather,
    "dma_matrix": _dma_matrix,
}
