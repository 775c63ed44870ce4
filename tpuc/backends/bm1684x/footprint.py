"""Which bytes a command reads and writes.

Local memory is taken by bytes of a lane, all lanes alike, and every tensor from its first byte to
its last: never less than what the command touches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tpuc.backends.bm1684x.command import GLOBAL, LANE_BYTES, LANES, LOCAL, up
from tpuc.errors import ArtifactError

__all__ = ["ELEMENT_BYTES", "Footprint", "Span", "Zeros", "footprint"]

ELEMENT_BYTES = {0: 1, 1: 2, 2: 4, 3: 2, 4: 4, 5: 2}
_INTERLEAVE = {1: 64, 2: 32, 4: 1}  # input channels side by side in a filter, by bytes
_ALIGNED, _COMPACT, _STRIDED = 0, 1, 3
_SPREAD = 3

Fields = Mapping[str, int]


class Span(NamedTuple):
    """Bytes `start` to `end` of global memory, or of each lane."""

    is_global: bool
    start: int
    end: int


class Footprint(NamedTuple):
    """What one command touches."""

    reads: tuple[Span, ...]
    writes: tuple[Span, ...]


def footprint(kind: str, fields: Fields) -> Footprint:
    """Reads and writes of a command.

    Raises
    ------
    ArtifactError : the kind or its function is not known here, or it leaves its memory
    """
    rule = _RULES.get(kind)
    if rule is None:
        raise ArtifactError(f"{kind}: has no known footprint")
    found = rule(Zeros(fields))
    for span in (*found.reads, *found.writes):
        if not span.is_global and not 0 <= span.start < span.end <= LANE_BYTES:
            raise ArtifactError(f"{kind}: bytes {span.start} to {span.end} leave local memory")
    return found


class Zeros(dict[str, int]):
    """Fields that are not named are zero."""

    def __missing__(self, key: str) -> int:
        return 0


def _local(address: int, size: int) -> Span:
    start = address % LANE_BYTES
    return Span(False, start, start + size)


def _rows(channels: int, address: int) -> int:
    return -(-(channels + address // LANE_BYTES) // LANES)


def _tensor(f: Fields, operand: str, shape: tuple[int, int, int, int], layout: int = 0) -> Span:
    """An operand `shape` in local memory; strides come from the command when it has them."""
    n, c, h, w = shape
    size, address = ELEMENT_BYTES[f[f"{operand}_type"]], f[f"{operand}_addr"]
    rows = _rows(c, address)
    if layout == _STRIDED:
        steps = [f[f"{operand}_{axis}str"] for axis in "nchw"]
    else:
        channel = h * w if layout == _COMPACT else up(h * w * size) // size
        steps = [rows * channel, channel, w, 1]
    last = sum((count - 1) * step for count, step in zip((n, rows, h, w), steps))
    return _local(address, (last + 1) * size)


def _result(f: Fields) -> tuple[int, int, int, int]:
    return f["r_n"], f["r_c"], f["r_h"], f["r_w"]


def _conv(f: Fields) -> Footprint:
    result = _tensor(f, "r", _result(f))
    rows, size = _rows(f["r_c"], f["r_addr"]), ELEMENT_BYTES[f["a_type"]]
    taps = f["kernel_h"] * f["kernel_w"]
    filters = rows * up(f["a_c"], _INTERLEAVE[size]) * taps * size
    reads = [
        _tensor(f, "a", (f["r_n"], f["a_c"], f["a_h"], f["a_w"]), f["a_layout"]),
        _local(f["b_addr"], filters),
    ]
    if not f["c_const"]:
        reads.append(_local(f["c_addr"], 4 * rows))
    if f["accumulate"]:
        reads.append(result)
    return Footprint(tuple(reads), (result,))


def _window(f: Fields) -> Footprint:
    rows, size = _rows(f["r_c"], f["r_addr"]), ELEMENT_BYTES[f["a_type"]]
    reads = [_tensor(f, "a", (f["r_n"], f["r_c"], f["a_h"], f["a_w"]))]
    if f["sub"] in (0, 2):
        reads.append(_local(f["b_addr"], rows * f["kernel_h"] * f["kernel_w"] * size))
        if not f["c_const"]:
            reads.append(_local(f["c_addr"], 4 * rows))
    return Footprint(tuple(reads), (_tensor(f, "r", _result(f)),))


def _arith(f: Fields) -> Footprint:
    reads = [
        _tensor(f, operand, _result(f), f[f"{operand}_layout"])
        for operand in "ab"[: f["operands"]]
        if not f[f"{operand}_const"]
    ]
    if f["operands"] == 3 and not f["c_const"]:
        raise ArtifactError("arith: a third operand in memory has no known footprint")
    return Footprint(tuple(reads), (_tensor(f, "r", _result(f), f["r_layout"]),))


def _requant(f: Fields) -> Footprint:
    reads = [_tensor(f, "a", _result(f))]
    if not f["b_const"]:
        reads.append(_local(f["b_addr"], 64 * (_rows(f["r_c"], f["r_addr"]) - 1) + 12))
    return Footprint(tuple(reads), (_tensor(f, "r", _result(f)),))


def _function(f: Fields) -> Footprint:
    reads = [_tensor(f, "a", _result(f))]
    if f["sub"] in (12, 13):
        reads.append(_local(f["b_addr"], f["b_n"] * ELEMENT_BYTES[f["a_type"]]))
    return Footprint(tuple(reads), (_tensor(f, "r", _result(f)),))


def _matrix_rows(f: Fields) -> Footprint:
    if f["sub"] not in (4, 5) or not f["c_const"] or f["a_const"] or f["b_const"]:
        raise ArtifactError(f"matrix_rows: function {f['sub']} has no known footprint")
    result = _tensor(f, "r", (1, f["r_c"], 1, f["r_w"]))
    reads = [
        _tensor(f, "a", (1, f["r_c"], 1, f["b_c" if f["sub"] == 4 else "b_w"])),
        _tensor(Zeros({**f, "b_type": f["a_type"]}), "b", (1, f["b_c"], 1, f["b_w"])),
    ]
    if f["accumulate"]:
        reads.append(result)
    return Footprint(tuple(reads), (result,))


def _choose(f: Fields) -> Footprint:
    typed = Zeros({**f, "b_type": f["a_type"], "d_type": f["c_type"], "r_type": f["c_type"]})
    if f["a_layout"] or f["b_layout"]:
        raise ArtifactError("choose: operands that are not aligned have no known footprint")
    reads = [_tensor(typed, o, _result(f)) for o in "abcd" if not f[f"{o}_const"]]
    return Footprint(tuple(reads), (_tensor(typed, "r", _result(f)),))


def _gather(f: Fields) -> Footprint:
    if f["sub"] not in (5, 13) or f["a_layout"] not in (3, 4):
        raise ArtifactError(f"gather: function {f['sub']} has no known footprint")
    table = _local(f["a_addr"], f["a_w"] * ELEMENT_BYTES[f["a_type"]])
    index = _tensor(f, "b", (f["r_n"], f["b_c"], 1, f["b_w"]))
    return Footprint((table, index), (_tensor(f, "r", _result(f)),))


def _dma(f: Fields) -> Footprint:
    source = [f[f"s_{axis}"] for axis in "nchw"]
    target = source if f["same_shape"] else [f[f"r_{axis}"] for axis in "nchw"]
    if f["sub"] == _SPREAD:
        return _spread(f)
    if f["sub"]:
        raise ArtifactError(f"dma: function {f['sub']} has no known footprint")
    reads = () if f["fill"] else (_side(f, "s", source),)
    return Footprint(reads, (_side(f, "r", target),))


def _spread(f: Fields) -> Footprint:
    """One channel to many lanes; both sides without gaps in a row."""
    size = ELEMENT_BYTES[f["type"]]
    source = f["s_low"] | f["s_high"] << 32
    read = Span(True, source, source + ((f["s_h"] - 1) * f["s_hstr"] + f["s_w"]) * size)
    length = ((f["r_h"] - 1) * f["r_hstr"] + f["r_w"]) * size
    return Footprint((read,), (_local(f["r_low"] - LOCAL, length),))


def _dma_matrix(f: Fields) -> Footprint:
    """(n, lanes, w) in local memory, rows of numbers in global memory."""
    size, stores = ELEMENT_BYTES[f["type"]], bool(f["r_high"])
    near, far = ("s", "r") if stores else ("r", "s")
    start = f[f"{far}_low"] | f[f"{far}_high"] << 32
    count = (f[f"{far}_h"] - 1) * f[f"{far}_hstr"] + f[f"{far}_w"]
    rows = _rows(f[f"{near}_c"], f[f"{near}_low"] - LOCAL)
    length = (f[f"{near}_n"] - 1) * f[f"{near}_nstr"] + (rows - 1) * f[f"{near}_cstr"]
    local = _local(f[f"{near}_low"] - LOCAL, (length + f[f"{near}_w"]) * size)
    there = Span(True, start, start + count * size)
    return Footprint((local,), (there,)) if stores else Footprint((there,), (local,))


def _dma_gather(f: Fields) -> Footprint:
    """All of the table, all positions, all rows of the result; in global memory."""
    if f["s_c"] != 1 or f["r_c"] != 1 or f["i_c"] != 1:
        raise ArtifactError("dma_gather: more than one table has no known footprint")
    spans = []
    sides = ("s", f["s_h"], f["s_w"]), ("i", f["i_h"], 1), ("r", f["r_h"], f["r_w"])
    for side, count, row in sides:
        size = 4 if side == "i" else ELEMENT_BYTES[f["type"]]
        address = f[f"{side}_low"] | f[f"{side}_high"] << 32
        if address < GLOBAL:
            raise ArtifactError("dma_gather: local memory has no known footprint")
        length = ((count - 1) * f[f"{side}_hstr"] + row) * size
        spans.append(Span(True, address, address + length))
    return Footprint((spans[0], spans[1]), (spans[2],))


def _side(f: Fields, side: str, shape: list[int]) -> Span:
    size = ELEMENT_BYTES[f["type"]]
    address = f[f"{side}_low"] | f[f"{side}_high"] << 32
    counts = list(shape)
    if address < GLOBAL:
        address -= LOCAL
        counts[1] = _rows(counts[1], address)
    steps = [f[f"{side}_{axis}str"] for axis in "nchw"]
    length = (sum((n - 1) * s for n, s in zip(counts, steps)) + 1) * size
    if address < LANE_BYTES * LANES:
        return _local(address, length)
    return Span(True, address, address + length)


_RULES: dict[str, Callable[[Fields], Footprint]] = {
    "conv": _conv,
    "window": _window,
    "arith": _arith,
    "requant": _requant,
    "gather": _gather,
    "function": _function,
    "matrix_rows": _matrix_rows,
    "choose": _choose,
    "dma": _dma,
    "dma_gather": _dma_gather,
    "dma_matrix": _dma_matrix,
}
