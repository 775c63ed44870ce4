"""How long streams take: each command by its fields, two engines that wait for each other.

TIU: lanes work in parallel, so channels count by rows of 64, and pixels by what a lane's unit takes
at once: 4 in a convolution, for each 64 input channels and each tap; 64 bytes of the widest operand
elsewhere. DMA: bytes by the bandwidth of its direction.

Source: fitted to what TPU-MLIR 1.30.2 prints for its own code. EfficientNet-Lite0 INT8: TIU costs
equal but for 1 in 10**4, DMA 5 % too low, the whole 3 % too low; every wait as there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANES
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.footprint import ELEMENT_BYTES

__all__ = ["Timeline", "cycles_of", "estimate"]

_LOADED, _STORED = 54, 44  # bytes in a cycle
_PIXELS, _CHANNELS, _UNIT = 4, 64, 64
_CAST, _ADD_SATURATED = 14, 15
_HALF_AWAY = 1
_F32 = 2
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
    streams = {"tiu": tiu, "dma": dma}
    ends: dict[str, list[int]] = {"tiu": [0], "dma": [0]}
    spans: dict[str, list[tuple[int, int]]] = {"tiu": [], "dma": []}
    while any(len(spans[e]) < len(streams[e]) for e in streams):
        for mine, other in (("tiu", "dma"), ("dma", "tiu")):
            at = len(spans[mine])
            if at < len(streams[mine]) and streams[mine][at].wait < len(ends[other]):
                command = streams[mine][at]
                start = max(ends[mine][-1], ends[other][command.wait])
                ends[mine].append(start + cycles_of(command))
                spans[mine].append((start, ends[mine][-1]))
                break
    return Timeline(tuple(spans["tiu"]), tuple(spans["dma"]))


def cycles_of(command: Decoded) -> int:
    """Cycles of one command alone; 1 for kinds that move next to nothing."""
    rule = _RULES.get(command.kind)
    return 1 if rule is None else max(rule(command.fields), 1)


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
    depth = _times(f["a_c"], _CHANNELS) * f["kernel_h"] * f["kernel_w"]
    return _rows(f) * depth * _times(f["r_h"] * f["r_w"], _PIXELS)


def _window(f: Fields) -> int:
    taps = _rows(f) * f["kernel_h"] * f["kernel_w"]
    if f["sub"] == 1:  # average: row by row
        return taps * f["r_h"] * _times(f["r_w"] * ELEMENT_BYTES[f["r_type"]], _UNIT)
    return taps * _wide(f, "r") * (3 if max(f["stride_w"], f["stride_h"]) > 1 else 1)


def _arith(f: Fields) -> int:
    read = [o for o in "ab"[: f["operands"]] if not f[f"{o}_const"]]
    factor = 1
    if f["sub"] == _CAST and f["a_type"] == _F32 and f["rounding"] == _HALF_AWAY:
        factor = 2
    if f["sub"] == _ADD_SATURATED:
        factor += (f["a_layout"] == _STRIDED) + 2 * (f["b_layout"] == _STRIDED)
    return _rows(f) * factor * _wide(f, "".join(["r", *read]))


def _requant(f: Fields) -> int:
    twice = f["sub"] == 1 and f["rounding"] == _HALF_AWAY
    return _rows(f) * _wide(f, "ra") * (2 if twice else 1)


def _matrix(f: Fields) -> int:
    last = (f["a_c"] - 1) * f["a_w"] + f["last_w"]
    return f["a_n"] * last * _times(f["r_w"], _UNIT)


def _dma(f: Fields) -> int:
    count = ELEMENT_BYTES[f["type"]]
    for axis in "nchw":
        count *= max(f[f"s_{axis}"], 1)
    return _times(count, _STORED if f["r_high"] else _LOADED)


_RULES: dict[str, Callable[[Fields], int]] = {
    "conv": _conv,
    "window": _window,
    "arith": _arith,
    "requant": _requant,
    "gather": lambda f: _rows(f) * _times(f["r_w"], _UNIT),
    "matrix": _matrix,
    "dma": _dma,
    "dma_matrix": _dma,
}
