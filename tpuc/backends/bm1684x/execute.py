"""Runs decoded streams on numpy: a second opinion without the vendor's chip simulator.

Sums of products are exact in float64. Only what tpuc emits is known; anything else is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tpuc.backends.bm1684x.chip_memory import (
    FLOAT_CODES,
    Memory,
    Shape,
    operand,
    result_shape,
    store,
    type_of,
    windows,
)
from tpuc.backends.bm1684x.command import GLOBAL, LANE_BYTES, LANES, LOCAL
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.execute_float import FLOAT_KERNELS
from tpuc.errors import ArtifactError
from tpuc.numerics.rounding import shift_half_away, shift_half_up

__all__ = ["Chip"]

_SHIFTS: dict[int, Callable[..., np.ndarray]] = {1: shift_half_away, 5: shift_half_up}


def _saturate(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max).astype(dtype)


def _signed_byte(value: int) -> int:
    return (value & 255) - ((value & 128) << 1)


class Chip(Memory):
    """Memory, and what runs streams in it."""

    def run(self, commands: Iterable[Decoded]) -> None:
        """Execute commands one after another.

        Raises
        ------
        ArtifactError : a function that is not known here
        """
        for command in commands:
            key = command.kind, command["sub"]
            rules = FLOAT_KERNELS if _is_float(command) else _RULES
            rule = rules.get(key)
            if rule is None:
                raise ArtifactError(f"{command.kind}: function {command['sub']} can not be run")
            rule(self, command)


def _is_float(c: Decoded) -> bool:
    if c.kind in ("choose", "function", "matrix_rows"):
        return True
    codes = [c.fields.get(f"{side}_type", 0) for side in "ra"]
    return c.kind != "requant" and any(code in FLOAT_CODES for code in codes)


def _conv(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["a_c"], c["a_h"], c["a_w"]
    x = operand(chip, c, "a", shape, c["a_signed"])
    taps, blocks, rows = c["kernel_h"] * c["kernel_w"], -(-c["a_c"] // 64), -(-c["r_c"] // LANES)
    size = blocks * taps * 64
    raw = chip.local[:, c["b_addr"] : c["b_addr"] + rows * size]
    raw = raw.view(np.int8 if c["b_signed"] else np.uint8)
    filters = raw.reshape(LANES, rows, blocks, taps, 64).transpose(1, 0, 3, 2, 4)
    filters = filters.reshape(rows * LANES, taps, blocks * 64)[: c["r_c"], :, : c["a_c"]]
    total = np.zeros(result_shape(c))
    for tap, pixels in enumerate(windows(c, x, 0)):
        total += np.einsum(
            "oc,nchw->nohw", filters[:, tap].astype(np.float64), pixels, optimize=True
        )
    store(chip, c, total.astype(np.int32))


def _depthwise(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["r_c"], c["a_h"], c["a_w"]
    x = operand(chip, c, "a", shape, c["a_signed"])
    taps, channels = c["kernel_h"] * c["kernel_w"], c["r_c"]
    one = np.dtype(np.int8)
    kernels = chip.read(c["b_addr"], (1, channels, 1, taps), (0, taps, taps, 1), one)
    if not c["b_signed"]:
        kernels = kernels.view(np.uint8)
    total = np.zeros(result_shape(c))
    for tap, pixels in enumerate(windows(c, x, 0)):
        total += kernels[:, :, :, tap : tap + 1] * pixels
    if not c["c_const"]:
        word = np.dtype(np.int32)
        total = total + chip.read(c["c_addr"], (1, channels, 1, 1), (0, 1, 1, 1), word)
    store(chip, c, _saturate(total, type_of(c["r_type"], c["a_signed"] | c["b_signed"])))


def _pool(chip: Chip, c: Decoded) -> None:
    shape = c["r_n"], c["r_c"], c["a_h"], c["a_w"]
    x = operand(chip, c, "a", shape, c["a_signed"])
    if c["sub"] == 4:
        fill = c["d_addr"] if not c["a_signed"] else _signed_byte(c["d_addr"])
        store(chip, c, np.max(windows(c, x, fill), axis=0).astype(x.dtype))
        return
    total = np.sum(windows(c, x, 0), axis=0).astype(np.int64) * c["b_addr"]
    store(chip, c, _saturate(_SHIFTS[c["rounding"]](total, c["c_addr"]), x.dtype))


def _arith(chip: Chip, c: Decoded) -> None:
    shape = result_shape(c)
    a = operand(chip, c, "a", shape, c["a_signed"])
    sub = c["sub"]
    if sub == 19:
        result = a
    elif sub == 14:
        result = _cast(a, type_of(c["r_type"], c["c_signed"]))
    else:
        b = operand(chip, c, "b", shape, c["b_signed"])
        result = _combine(c, sub, a, b)
    store(chip, c, result)


def _cast(a: np.ndarray, target: np.dtype) -> np.ndarray:
    return _saturate(a, target)


def _combine(c: Decoded, sub: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    signed = c["a_signed"] | c["b_signed"] | (sub == 16)
    target = type_of(c["r_type"], signed)
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
    a = operand(chip, c, "a", result_shape(c), c["a_signed"]).astype(np.int64)
    if c["b_const"]:
        factor = np.array([c["b_addr"]], np.uint32).view(np.int32)
        words = np.array([[[[int(factor[0]), _signed_byte(c["c_addr"])]]]], np.int64)
    else:
        shape, word = (1, c["r_c"], 1, 2), np.dtype(np.int32)
        words = chip.read(c["b_addr"], shape, (0, 16, 2, 1), word).astype(np.int64)
    m, s = words[..., :1], words[..., 1:]
    result = _SHIFTS[c["rounding"]](a * m, -s)
    store(chip, c, _saturate(result, type_of(c["r_type"], c["r_signed"])))


def _dequant(chip: Chip, c: Decoded) -> None:
    a = operand(chip, c, "a", result_shape(c), c["a_signed"])
    scale = np.array(c["c_addr"], np.uint32).view(np.float32)
    store(chip, c, (a.astype(np.float32) * scale).astype(np.float32))


def _gather(chip: Chip, c: Decoded) -> None:
    index = operand(chip, c, "b", (c["r_n"], c["b_c"], 1, c["b_w"]), 0)
    table = chip.local[:, c["a_addr"] : c["a_addr"] + 256]
    lanes = (np.arange(c["b_c"]) % LANES).reshape(1, -1, 1, 1)
    store(chip, c, table[lanes, index])


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
    dtype = type_of(c["type"], 1)
    shape = tuple(c[f"s_{axis}"] for axis in "nchw")
    address, steps = _side(chip, c, "s", dtype)
    near = address < GLOBAL
    if c["fill"]:
        bits = np.array([c["constant"]], "<u4").view(dtype)[0]
        values = np.full(shape, bits, dtype)
    elif near:
        values = chip.read(address - LOCAL, shape, steps, dtype)
    else:
        values = _far(chip, address, shape, steps, dtype).copy()
    address, steps = _side(chip, c, "r", dtype)
    if address < GLOBAL:
        chip.write(address - LOCAL, steps, values)
    else:
        _far(chip, address, shape, steps, dtype)[...] = values


def _spread(chip: Chip, c: Decoded) -> None:
    dtype = type_of(c["type"], 1)
    shape, steps = (1, 1, c["s_h"], c["s_w"]), (0, 0, c["s_hstr"], 1)
    values = _far(chip, c["s_low"] | c["s_high"] << 32, shape, steps, dtype)[0, 0]
    lane, at = divmod(c["r_low"] - LOCAL, LANE_BYTES)
    for row in range(c["r_h"]):
        first = at + row * c["r_hstr"] * dtype.itemsize
        part = np.ascontiguousarray(values[row]).view(np.uint8)
        chip.local[lane : lane + c["r_c"], first : first + len(part)] = part


def _matrix(chip: Chip, c: Decoded) -> None:
    """Rows in global memory, cut into pieces for the lanes."""
    near, far = ("s", "r") if c["r_high"] else ("r", "s")
    if c[f"{near}_n"] != c[f"{far}_h"]:
        raise ArtifactError("dma_matrix: only whole rows can be moved")
    dtype, width, rows = type_of(c["type"], 1), c[f"{far}_w"], c[f"{far}_h"]
    shape = rows, c[f"{near}_c"], 1, c[f"{near}_w"]
    steps = c[f"{near}_nstr"], c[f"{near}_cstr"], 0, 1
    here = c[f"{near}_low"] - LOCAL
    there = c[f"{far}_low"] | c[f"{far}_high"] << 32
    outside = _far(chip, there, (1, 1, rows, width), (0, 0, c[f"{far}_hstr"], 1), dtype)[0, 0]
    if near == "s":
        outside[...] = chip.read(here, shape, steps, dtype).reshape(rows, -1)[:, :width]
        return
    if width != shape[1] * shape[3]:
        raise ArtifactError("dma_matrix: only loads that fill their lanes can be run")
    chip.write(here, steps, outside.reshape(shape).copy())


def _dma_gather(chip: Chip, c: Decoded) -> None:
    dtype, row = type_of(c["type"], 1), c["s_w"]
    sides = {}
    for side, count, width, kind in (
        ("s", c["s_h"], row, dtype),
        ("i", c["i_h"], 1, np.dtype(np.int32)),
        ("r", c["r_h"], row, dtype),
    ):
        address = c[f"{side}_low"] | c[f"{side}_high"] << 32
        shape, steps = (1, 1, count, width), (0, 0, c[f"{side}_hstr"], 1)
        sides[side] = _far(chip, address, shape, steps, kind)[0, 0]
    sides["r"][...] = sides["s"][sides["i"][:, 0]]


_RULES: dict[tuple[str, int], Callable[[Chip, Decoded], None]] = {
    ("conv", 0): _conv,
    ("window", 0): _depthwise,
    ("window", 1): _pool,
    ("window", 4): _pool,
    **{("arith", sub): _arith for sub in (0, 4, 5, 14, 15, 16, 19, 20)},
    ("requant", 1): _requant,
    ("requant", 3): _dequant,
    ("gather", 5): _gather,
    ("gather", 13): _gather,
    ("dma", 0): _dma,
    ("dma_gather", 0): _dma_gather,
    ("dma", 3): _spread,
    ("dma_matrix", 0): _matrix,
}
