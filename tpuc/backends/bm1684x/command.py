"""A command before it has bits, and what it works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "BF16",
    "F16",
    "F32",
    "FLOATS",
    "GLOBAL",
    "LANES",
    "LANE_BYTES",
    "LOCAL",
    "S16",
    "S32",
    "S8",
    "U8",
    "Command",
    "Element",
    "Local",
    "Shape",
    "up",
]

LANES = 64
LANE_BYTES = 0x40000
EU_BYTES = 64
LOCAL = 0x0800_0000  # where the DMA sees local memory
GLOBAL = 0x1_0000_0000  # where global memory begins

Shape = tuple[int, int, int, int]


def up(number: int, step: int = EU_BYTES) -> int:
    """`number` rounded up to a multiple of `step`."""
    return -(-number // step) * step


@dataclass(frozen=True)
class Element:
    """Element type of an operand: code in a command, bytes, signed."""

    code: int
    size: int
    signed: bool = True


S8, U8 = Element(0, 1), Element(0, 1, False)
F32, S16, S32 = Element(2, 4), Element(3, 2), Element(4, 4)
F16, BF16 = Element(1, 2), Element(5, 2)
FLOATS = (F32, F16, BF16)


@dataclass(frozen=True)
class Command:
    """One command; fields that are not named are zero, or the kind's constants.

    Parameters
    ----------
    kind : str
        A name of `fields.KINDS`.
    fields : mapping
    note : str
        Name of the tensor it is made for.
    """

    kind: str
    fields: Mapping[str, int]
    note: str = ""

    @property
    def engine(self) -> str:
        """`tiu` or `dma`."""
        return "dma" if self.kind.startswith("dma") else "tiu"


@dataclass(frozen=True)
class Local:
    """A tensor in local memory: channel c in lane c mod 64, row c div 64, at the same address.

    Parameters
    ----------
    address : int
        Byte within each lane.
    shape : (N, C, H, W)
    """

    address: int
    shape: Shape
    element: Element

    @property
    def rows(self) -> int:
        """Channels of the busiest lane."""
        return -(-self.shape[1] // LANES)

    @property
    def strides(self) -> Shape:
        """Elements from one n, row of channels, h, w to the next; channels start on 64 bytes."""
        channel = up(self.shape[2] * self.shape[3] * self.element.size) // self.element.size
        return self.rows * channel, channel, self.shape[3], 1

    @property
    def size(self) -> int:
        """Bytes in each lane."""
        return self.shape[0] * self.strides[0] * self.element.size
