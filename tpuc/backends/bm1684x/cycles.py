"""How long streams take: each command by its fields, two engines that wait for each other.

TIU: lanes work in parallel, so channels count by rows of 64, and pixels by what a lane's unit takes
at once: 4 in a convolution (16 in float32), for each 64 bytes of input channels and each tap; 64
bytes of the widest operand elsewhere.

DMA: bytes / (bandwidth of the direction * share). The share is less than one if numbers that follow
one another on both sides have less than 256 bytes, and if all of them have less than 4 pages. Rows
of a table that are gathered within global memory: 64 bytes of the result a cycle.

Source: fitted to what TPU-MLIR 1.30.2 prints for its own code; EfficientNet-Lite0, ResNet-18 and
MobileNetV2, INT8, F16, BF16 and F32: every command within 2 % or 2 cycles, all of it within 0.1 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANES, Command
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.footprint import ELEMENT_BYTES, Zeros

__all__ = ["Timeline", "by_the_clock", "cycles_of", "estimate"]

_PIXELS, _DEPTH, _UNIT = 4, 64, 64
_BURST, _PAGE, _PAGES = 256, 4096, 4
_BYTES = {  # in a cycle
    (False, False): 54.02,  # a tensor to local memory
    (False, True): 40.98,  # from there
    (True, False): 58.0,  # a matrix, or one channel to many lanes
    (True, True): 44.0,
}
_MUL, _ADD, _MAX, _MIN, _CAST, _ADD_SATURATED, _SUB_SATURATED = 0, 2, 4, 5, 14, 15, 16
_DIV, _QUOTIENT, _ROOT = 12, 31, 30  # cycles of Newton's iterations, with all their steps
_HALF_EVEN, _HALF_AWAY = 0, 1
_F32 = 2
_FLOATS = (1, 2, 5)
_STRIDED = 3


@dataclass(frozen=True)
class Timeline:
    """Start and end of each command, in cycles, and how long both engines take in all."""

    tiu: tuple[tuple[int, int], ...]
    dma: tuple[tuple[int, int], ...]

    @property
    def total(self) -> int:
        """Cycles until both are done."""
        return max((end for spans in (self.tiu, self.dma) for _, end in spans), default=0)

    @property
    def busy(self) -> tuple[int, int]:
        """Cycles in which the TIU, and the DMA, work."""
        tiu, dma = (sum(end - start for start, end in spans) for spans in (self.tiu, self.dma))
        return tiu, dma


def estimate(tiu: Sequence[Decoded], dma: Sequence[Decoded]) -> Timeline:
    """Run both streams by the clock: each command as soon as its engine and its wait allow.

    Parameters
    ----------
    tiu, dma : sequences of Decoded
        Streams whose waits can be fulfilled (`check.legal_order`).
    """
    costs = {e: [cycles_of(c) for c in s] for e, s in (("tiu", tiu), ("dma", dma))}
    return by_the_clock(costs, {"tiu": [c.wait for c in tiu], "dma": [c.wait for c in dma]})


def by_the_clock(
    costs: Mapping[str, Sequence[int]], waits: Mapping[str, Sequence[int]]
) -> Timeline:
    """The same of cycles and waits, by engine."""
    ends: dict[str, list[int]] = {"tiu": [0], "dma": [0]}
    spans: dict[str, list[tuple[int, int]]] = {"tiu": [], "dma": []}
    while any(len(spans[e]) < len(costs[e]) for e in costs):
        for mine, other in (("tiu", "dma"), ("dma", "tiu")):
            at = len(spans[mine])
            if at < len(costs[mine]) and waits[mine][at] < len(ends[other]):
                start = max(ends[mine][-1], ends[other][waits[mine][at]])
                ends[mine].append(start + costs[mine][at])
                spans[mine].append((start, ends[mine][-1]))
                break
    return Timeline(tuple(spans["tiu"]), tuple(spans["dma"]))


def cycles_of(command: Command | Decoded) -> int:
    """Cycles of one command alone; 1 for kinds that move next to nothing."""
    rule = _RULES.get(command.kind)
    return 1 if rule is None else max(rule(Zeros(command.fields)), 1)


Fields = Mapping[str, int]


def _times(count: int, step: int) -> int:
    return -(-count // step)


def _rows(f: Fields) -> int:
    return f["r_n"] * _times(f["r_c"], LANES)


def _wide(f: Fields, operands: str) -> int:
    """Steps over a picture in pieces of 64 bytes of the widest operand."""
    size = max(ELEMENT_BYTES[f[f"{o}_type"]] for o in operands)
    return _times(f["r_h"] * f["r_w"] * size, _UNIT)


def _conv(f: Fields) -> int:
    size, taps = ELEMENT_BYTES[f["a_type"]], f["kernel_h"] * f["kernel_w"]
    single = size == 4
    depth = f["a_c"] if single else _times(f["a_c"] * size, _DEPTH)
    pixels = _PIXELS * (4 if single else 1)
    return _rows(f) * depth * taps * _times(f["r_h"] * f["r_w"], pixels)


def _window(f: Fields) -> int:
    taps = _rows(f) * f["kernel_h"] * f["kernel_w"]
    if f["sub"] == 1:  # average: row by row
        return taps * f["r_h"] * _times(f["r_w"] * ELEMENT_BYTES[f["r_type"]], _UNIT)
    return taps * _wide(f, "r") * (3 if f["stride_w"] > 1 else 1)


def _arith(f: Fields) -> int:
    read = [o for o in "ab"[: f["operands"]] if not f[f"{o}_const"]]
    return _rows(f) * _passes(f) * _wide(f, "".join(["r", *read]))


def _passes(f: Fields) -> int:
    """How often an arithmetic command goes over its picture."""
    result, source = f["r_type"], f["a_type"]
    if f["sub"] in (_ADD, _MAX, _MIN):
        return 2
    if f["sub"] == _DIV:
        return _QUOTIENT
    if f["sub"] in (_ADD_SATURATED, _SUB_SATURATED):
        narrower = ELEMENT_BYTES[result] < ELEMENT_BYTES[source]
        return 1 if narrower else 4 if f["r_layout"] == _STRIDED else 2
    if f["sub"] == _CAST and result not in _FLOATS:
        return 2 if source in _FLOATS or f["rounding"] == _HALF_EVEN else 1
    return 1


def _requant(f: Fields) -> int:
    twice = f["sub"] == 1 and f["rounding"] == _HALF_AWAY
    return _rows(f) * _wide(f, "ra") * (2 if twice else 1)


def _matrix(f: Fields) -> int:
    depth = (f["a_c"] - 1) * f["a_w"] + f["last_w"]
    steps = depth * _times(f["r_w"] * ELEMENT_BYTES[f["a_type"]], _UNIT)
    more = _times(f["r_w"] * ELEMENT_BYTES[f["r_type"]], _UNIT) if f["accumulate"] else 0
    return f["a_n"] * (steps + more)


def _matrix_rows(f: Fields) -> int:
    inner = f["b_c"] if f["sub"] == 4 else f["b_w"]
    depth = _times(inner * ELEMENT_BYTES[f["a_type"]], _DEPTH)
    return _times(f["r_c"], LANES) * depth * _times(f["r_w"], _PIXELS)


def _function(f: Fields) -> int:
    return _rows(f) * _wide(f, "ra") * (_ROOT if f["sub"] == 17 else f["b_n"])


def _choose(f: Fields) -> int:
    return 2 * _rows(f) * _wide(f, "ac")


def _lane(f: Fields) -> int:
    """A copy goes lane by lane; what spreads over lanes needs twice the time in place."""
    picture = f["r_n"] * _times(f["r_h"] * f["r_w"] * ELEMENT_BYTES[f["r_type"]], _UNIT)
    if f["sub"] == 2:
        return picture * f["r_c"]
    return picture * _times(f["r_c"], LANES) * (2 if f["r_addr"] == f["a_addr"] else 1)


def _dma(f: Fields) -> int:
    counts = [max(f[f"s_{axis}"], 1) for axis in "nchw"]
    size, run = ELEMENT_BYTES[f["type"]], counts[3]
    if counts[2] == 1 or f["s_hstr"] == f["r_hstr"] == run:
        run *= counts[2]
    count = size * counts[0] * counts[1] * counts[2] * counts[3]
    spread = f["sub"] == 3
    pages = _PAGES if spread else _times(count, _PAGE)
    share = min(1.0, run * size / _BURST) * min(1.0, pages / _PAGES)
    return int(count / (_BYTES[spread, bool(f["r_high"])] * share))


def _dma_matrix(f: Fields) -> int:
    far, near = ("s", "r") if f["s_high"] else ("r", "s")
    size, width = ELEMENT_BYTES[f["type"]], f[f"{far}_w"]
    share = min(1.0, min(width, f[f"{near}_w"]) * size / _BURST)
    return int(f[f"{far}_h"] * width * size / (_BYTES[True, far == "r"] * share))


def _dma_gather(f: Fields) -> int:
    """Rows of a table: what is written counts."""
    return _times(f["r_c"] * f["r_h"] * f["r_w"] * ELEMENT_BYTES[f["type"]], _UNIT)


_RULES: dict[str, Callable[[Fields], int]] = {
    "conv": _conv,
    "window": _window,
    "arith": _arith,
    "requant": _requant,
    "gather": lambda f: _rows(f) * _times(f["r_w"], _UNIT),
    "matrix": _matrix,
    "matrix_rows": _matrix_rows,
    "function": _function,
    "choose": _choose,
    "lane": _lane,
    "dma": _dma,
    "dma_gather": _dma_gather,
    "dma_matrix": _dma_matrix,
}
