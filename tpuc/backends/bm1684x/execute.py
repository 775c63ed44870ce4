"""Runs decoded streams on numpy: a second opinion without the vendor's chip simulator.

Local memory is an array of 64 lanes, global memory one of bytes; a tensor is a strided view. Sums
of products are exact in float64. Only what tpuc emits is known; anything else is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tpuc.backends.bm1684x.command import GLOBAL, LANE_BYTES, LANES, LOCAL, up
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.errors import ArtifactError
from tpuc.numerics.rounding import round_away, shift_half_away, shift_half_up

__all__ = ["Chip"]

_SIGNED = {0: np.int8, 2: np.float32, 3: np.int16, 4: np.int32}
_UNSIGNED = {0: np.uint8, 2: np.float32, 3: np.uint16, 4: np.uint32}
_SHIFTS: dict[int, Callable[..., np.ndarray]] = {1: shift_half_away, 5: shift_half_up}
Shape = tuple[int, ...]


def _type(code: int, signed: int) -> np.dtype:
    return np.dtype((_SIGNED if signed else _UNSIGNED)[code])


def _saturate(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


def _signed_byte(value: int) -> int:
    return (value & 255) - ((value & 128) << 1)


class Chip:
    """Local memory and one stretch of global memory.

    Parameters
    ----------
    memory : uint8 array
        Global memory from its first byte; changed in place.
    """

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.local = np.full((LANES, LANE_BYTES), 0xA5, np.uint8)

    def run(self, commands: Iterable[Decoded]) -> None:
        """Execute commands one after another.

        Raises
        ------
        ArtifactError : a function that is not known here
        """
        for command in commands:
            rule = _RULES.get((command.kind, command["sub"]))
            if rule is None:
                raise ArtifactError(f"{command.kind}: function {command['sub']} can not be run")
            rule(self, command)

    def view(self, address: int, shape: Shape, steps: Shape, dtype: np.dtype) -> np.ndarray:
        """(N, rows, lanes, H, W) of local memory from lane 0; all channels of each row."""
        if address >= LANE_BYTES:
            raise ArtifactError(f"address 0x{address:x}: expected a tensor that starts in lane 0")
        n, c, h, w = shape
        rows, size = -(-c // LANES), dtype.itemsize
        raw = self.local[:, address:]
        raw = raw[:, : raw.shape[1] // size * size].view(dtype)
        by = (steps[0] * size, steps[1] * size, LANE_BYTES, steps[2] * size, steps[3] * size)
        return np.lib.stride_tricks.as_strided(raw, (n, rows, LANES, h, w), by)

    def read(self, address: int, shape: Shape, steps: Shape, dtype: np.dtype) -> np.ndarray:
        """A copy of a local tensor, (N, C, H, W)."""
        view = self.view(address, shape, steps, dtype)
        n, rows, lanes, h, w = view.shape
        return view.reshape(n, rows * lanes, h, w)[:, : shape[1]].copy()

    def write(self, address: int, steps: Shape, values: np.ndarray) -> None:
        """Store (N, C, H, W) into local memory."""
        view = self.view(address, values.shape, steps, values.dtype)
        for row in range(view.shape[1]):
            part = values[:, row * LANES : (row + 1) * LANES]
            view[:, row, : part.shape[1]] = part


def _steps(shape: Shape, size: int) -> Shape:
    channel = up(shape[2] * shape[3] * size) // size
    return -(-shape[1] // LANES) * channel, channel, shape[3], 1


def _shape(c: Decoded) -> Shape:
    return c["r_n"], c["r_c"], c["r_h"], c["r_w"]


def _operand(chip: Chip, c: Decoded, name: str, shape: Shape, signed: int) -> np.ndarray:
    dtype = _type(c[f"{name}_type"], signed)
    if c.fields.get(f"{name}_const"):
        word = np.uint32(c[f"{name}_addr"])
        raw = np.array([word]).view(np.float32 if dtype == np.float32 else np.int32)
        return np.full((1, 1, 1, 1), raw[0].astype(dtype) if dtype != np.float32 else raw[0])
    steps = _steps(shape, dtype.itemsize)
    if c.fields.get(f"{name}_layout") == 3:
        steps = tuple(c[f"{name}_{axis}str"] for axis in "nchw")
    return chip.read(c[f"{name}_addr"], shape, steps, dtype)


def _store(chip: Chip, c: Decoded, values: np.ndarray) -> None:
    values = np.broadcast_to(values, _shape(c))
    steps = _steps(values.shape, values.dtype.itemsize)
    if c.fields.get("r_layout") == 3:
        steps = tuple(c[f"r_{axis}str"] for axis in "nchw")
    chip.write(c["r_addr"], steps, values)


def _windows(c: Decoded, x: np.ndarray, fill: int) -> list[np.ndarray]:
    """The pixel under each tap of the kernel, (N, C, OH, OW) each."""
    pads = ((0, 0), (0, 0), (c["pad_top"], c["pad_bottom"]), (c["pad_left"], c["pad_right"]))
    wide = np.pad(x.astype(np.float64), pads, constant_values=fill)
    found = []
    for i in range(c["kernel_h"]):
        for j in range(c["kernel_w"]):
            top, left = i * (c["dilation_h"] + 1), j * (c["dilation_w"] + 1)
            part = wide[:, :, top :: c["stride_h"], left :: c["stride_w"]]
            found.append(part[:, :, : c["r_h"], : c["r_w"]])
    return found


def _conv(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["a_c"], c["a_h"], c["a_w"]
    x = _operand(chip, c, "a", shape, c["a_signed"])
    taps, blocks, rows = c["kernel_h"] * c["kernel_w"], -(-c["a_c"] // 64), -(-c["r_c"] // LANES)
    size = blocks * taps * 64
    raw = chip.local[:, c["b_addr"] : c["b_addr"] + rows * size].view(np.int8)
    filters = raw.reshape(LANES, rows, blocks, taps, 64).transpose(1, 0, 3, 2, 4)
    filters = filters.reshape(rows * LANES, taps, blocks * 64)[: c["r_c"], :, : c["a_c"]]
    total = np.zeros(_shape(c))
    for tap, pixels in enumerate(_windows(c, x, 0)):
        total += np.einsum(
            "oc,nchw->nohw", filters[:, tap].astype(np.float64), pixels, optimize=True
        )
    _store(chip, c, total.astype(np.int32))


def _depthwise(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["r_c"], c["a_h"], c["a_w"]
    x = _operand(chip, c, "a", shape, c["a_signed"])
    taps, channels = c["kernel_h"] * c["kernel_w"], c["r_c"]
    one = np.dtype(np.int8)
    kernels = chip.read(c["b_addr"], (1, channels, 1, taps), (0, taps, taps, 1), one)
    total = np.zeros(_shape(c))
    for tap, pixels in enumerate(_windows(c, x, 0)):
        total += kernels[:, :, :, tap : tap + 1] * pixels
    if not c["c_const"]:
        word = np.dtype(np.int32)
        total = total + chip.read(c["c_addr"], (1, channels, 1, 1), (0, 1, 1, 1), word)
    _store(chip, c, total.astype(np.int32))


def _pool(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["r_c"], c["a_h"], c["a_w"]
    x = _operand(chip, c, "a", shape, c["a_signed"])
    if c["sub"] == 4:
        fill = c["d_addr"] if not c["a_signed"] else _signed_byte(c["d_addr"])
        _store(chip, c, np.max(_windows(c, x, fill), axis=0).astype(x.dtype))
        return
    total = np.sum(_windows(c, x, 0), axis=0).astype(np.int64) * c["b_addr"]
    _store(chip, c, _saturate(_SHIFTS[c["rounding"]](total, c["c_addr"]), x.dtype))


def _arith(chip: Chip, c: Decoded) -> None:
    shape = _shape(c)
    a = _operand(chip, c, "a", shape, c["a_signed"])
    sub = c["sub"]
    if sub == 14:
        result = _cast(a, _type(c["r_type"], c["c_signed"]))
    else:
        b = _operand(chip, c, "b", shape, c["b_signed"])
        result = _combine(c, sub, a, b)
    _store(chip, c, result)


def _cast(a: np.ndarray, target: np.dtype) -> np.ndarray:
    if target == np.float32:
        return a.astype(np.float32)
    whole = a
    if a.dtype == np.float32:
        whole = np.nan_to_num(round_away(a.astype(np.float64)), nan=0.0)
    return _saturate(whole, target)


def _combine(c: Decoded, sub: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype == np.float32:
        return np.asarray(a * b, np.float32)
    signed = c["a_signed"] | c["b_signed"] | (sub == 16)
    target = _type(c["r_type"], signed)
    wide = a.astype(np.int64), b.astype(np.int64)
    if sub == 0:
        return (wide[0] * wide[1]).astype(target)
    if sub in (4, 5):
        return (np.maximum if sub == 4 else np.minimum)(*wide).astype(target)
    if sub == 20:
        product = _SHIFTS[c["rounding"]](wide[0] * wide[1], -_signed_byte(c["c_addr"]))
        return _saturate(product, target)
    return _saturate(wide[0] + wide[1] if sub == 15 else wide[0] - wide[1], target)


def _requant(chip: Chip, c: Decoded) -> None:
    a = _operand(chip, c, "a", _shape(c), c["a_signed"]).astype(np.int64)
    if c["b_const"]:
        factor = np.array([c["b_addr"]], np.uint32).view(np.int32)
        words = np.array([[[[int(factor[0]), _signed_byte(c["c_addr"])]]]], np.int64)
    else:
        shape, word = (1, c["r_c"], 1, 2), np.dtype(np.int32)
        words = chip.read(c["b_addr"], shape, (0, 16, 2, 1), word).astype(np.int64)
    m, s = words[..., :1], words[..., 1:]
    result = _SHIFTS[c["rounding"]](a * m, -s)
    _store(chip, c, _saturate(result, _type(c["r_type"], c["r_signed"])))


def _dequant(chip: Chip, c: Decoded) -> None:
    a = _operand(chip, c, "a", _shape(c), c["a_signed"])
    scale = np.array(c["c_addr"], np.uint32).view(np.float32)
    _store(chip, c, (a.astype(np.float32) * scale).astype(np.float32))


def _gather(chip: Chip, c: Decoded) -> None:
    index = _operand(chip, c, "b", (c["r_n"], c["b_c"], 1, c["b_w"]), 0)
    table = chip.local[:, c["a_addr"] : c["a_addr"] + 256]
    lanes = (np.arange(c["b_c"]) % LANES).reshape(1, -1, 1, 1)
    _store(chip, c, table[lanes, index])


def _side(chip: Chip, c: Decoded, side: str, dtype: np.dtype) -> tuple[int, Shape]:
    steps = tuple(c[f"{side}_{axis}str"] for axis in "nchw")
    return c[f"{side}_low"] | c[f"{side}_high"] << 32, steps


def _far(chip: Chip, address: int, shape: Shape, steps: Shape, dtype: np.dtype) -> np.ndarray:
    size = dtype.itemsize
    raw = chip.memory[address - GLOBAL :]
    last = (sum((n - 1) * s for n, s in zip(shape, steps)) + 1) * size
    if address < GLOBAL or last > len(raw):
        raise ArtifactError(f"dma: {last} bytes from 0x{address:x} leave global memory")
    raw = raw[: len(raw) // size * size].view(dtype)
    return np.lib.stride_tricks.as_strided(raw, shape, tuple(s * size for s in steps))


def _dma(chip: Chip, c: Decoded) -> None:
    dtype = _type(c["type"], 1)
    shape = tuple(c[f"s_{axis}"] for axis in "nchw")
    address, steps = _side(chip, c, "s", dtype)
    near = address < GLOBAL
    if near:
        values = chip.read(address - LOCAL, shape, steps, dtype)
    else:
        values = _far(chip, address, shape, steps, dtype).copy()
    address, steps = _side(chip, c, "r", dtype)
    if address < GLOBAL:
        chip.write(address - LOCAL, steps, values)
    else:
        _far(chip, address, shape, steps, dtype)[...] = values


_RULES: dict[tuple[str, int], Callable[[Chip, Decoded], None]] = {
    ("conv", 0): _conv,
    ("window", 0): _depthwise,
    ("window", 1): _pool,
    ("window", 4): _pool,
    **{("arith", sub): _arith for sub in (0, 4, 5, 14, 15, 16, 20)},
    ("requant", 1): _requant,
    ("requant", 3): _dequant,
    ("gather", 5): _gather,
    ("gather", 13): _gather,
    ("dma", 0): _dma,
}
