"""Local and global memory of the executor, and tensors in them.

Local memory is an array of 64 lanes, global memory one of bytes; a tensor is a strided view. Floats
are float32 outside of memory, whatever their type.
"""

from __future__ import annotations

import numpy as np

from tpuc.backends.bm1684x.command import BF16, F16, F32, LANE_BYTES, LANES, up
from tpuc.backends.bm1684x.decode import Decoded
from tpuc.backends.bm1684x.floats import from_stored, stored
from tpuc.errors import ArtifactError
from tpuc.ir import DType

__all__ = [
    "FLOAT_CODES",
    "Memory",
    "Shape",
    "operand",
    "result_shape",
    "steps_of",
    "store",
    "type_of",
    "windows",
]

FLOAT_CODES = {F32.code: DType.F32, F16.code: DType.F16, BF16.code: DType.BF16}
_SIGNED = {0: np.int8, 1: np.uint16, 2: np.float32, 3: np.int16, 4: np.int32, 5: np.uint16}
_UNSIGNED = {0: np.uint8, 1: np.uint16, 2: np.float32, 3: np.uint16, 4: np.uint32, 5: np.uint16}
Shape = tuple[int, ...]


def type_of(code: int, signed: int) -> np.dtype:
    """How numbers of a type are stored; short floats as their bits."""
    return np.dtype((_SIGNED if signed else _UNSIGNED)[code])


class Memory:
    """Local memory and one stretch of global memory.

    Parameters
    ----------
    memory : uint8 array
        Global memory from its first byte; changed in place.
    """

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.local = np.full((LANES, LANE_BYTES), 0xA5, np.uint8)

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


def steps_of(shape: Shape, size: int) -> Shape:
    """Elements between numbers of an aligned tensor."""
    channel = up(shape[2] * shape[3] * size) // size
    return -(-shape[1] // LANES) * channel, channel, shape[3], 1


def result_shape(c: Decoded) -> Shape:
    """(N, C, H, W) of the result."""
    return c["r_n"], c["r_c"], c["r_h"], c["r_w"]


def operand(chip: Memory, c: Decoded, name: str, shape: Shape, signed: int) -> np.ndarray:
    """A constant or a tensor: integers of its type, or float32."""
    code = c[f"{name}_type"]
    dtype = type_of(code, signed)
    if c.fields.get(f"{name}_const"):
        word = np.array([c[f"{name}_addr"]], "<u4")
        if code in FLOAT_CODES:
            values = from_stored(word.view(f"<u{dtype.itemsize}")[:1], code)
        else:
            values = word.view(np.int32).astype(dtype)
        return values.reshape(1, 1, 1, 1)
    steps = steps_of(shape, dtype.itemsize)
    if c.fields.get(f"{name}_layout") == 3:
        steps = tuple(c[f"{name}_{axis}str"] for axis in "nchw")
    raw = chip.read(c[f"{name}_addr"], shape, steps, dtype)
    return from_stored(raw, code) if code in FLOAT_CODES else raw


def store(chip: Memory, c: Decoded, values: np.ndarray) -> None:
    """Write the result; floats are rounded to its type."""
    kind = FLOAT_CODES.get(c["r_type"])
    if kind is not None:
        values = stored(values.astype(np.float32), kind)
    values = np.broadcast_to(values, result_shape(c))
    steps = steps_of(values.shape, values.dtype.itemsize)
    if c.fields.get("r_layout") == 3:
        steps = tuple(c[f"r_{axis}str"] for axis in "nchw")
    chip.write(c["r_addr"], steps, values)


def windows(c: Decoded, x: np.ndarray, fill: float) -> list[np.ndarray]:
    """The pixel under each tap of the kernel, (N, C, OH, OW) each."""
    tall, wide = (c[f"spread_{axis}"] + 1 for axis in "hw")
    if (tall, wide) != (1, 1):
        apart = np.zeros((*x.shape[:2], x.shape[2] * tall, x.shape[3] * wide), x.dtype)
        apart[:, :, ::tall, ::wide] = x
        x = apart[:, :, : 1 - tall or None, : 1 - wide or None]
    pads = ((0, 0), (0, 0), (c["pad_top"], c["pad_bottom"]), (c["pad_left"], c["pad_right"]))
    padded = np.pad(x.astype(np.float64), pads, constant_values=fill)
    found = []
    for i in range(c["kernel_h"]):
        for j in range(c["kernel_w"]):
            top, left = i * (c["dilation_h"] + 1), j * (c["dilation_w"] + 1)
            part = padded[:, :, top :: c["stride_h"], left :: c["stride_w"]]
            found.append(part[:, :, : c["r_h"], : c["r_w"]])
    return found
