"""Parts of tensors in global memory, and stand-ins for places that are not known yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpuc.backends.bm1684x.command import LANES, Element, Shape

__all__ = [
    "BUFFERS",
    "BUFFER_STEP",
    "LONGEST",
    "NEURONS",
    "Remote",
    "dense",
    "halves",
    "pieces",
]

NEURONS = 0x80_0000_0000  # stands for the start of the neurons until the weights are counted
BUFFERS, BUFFER_STEP = 1 << 48, 1 << 26
_RUN = 256
LONGEST = 65535  # sizes in commands have 16 bits


def dense(shape: Shape) -> Shape:
    """Strides of a dense (N, C, H, W) tensor, in elements."""
    _, c, h, w = shape
    return c * h * w, h * w, w, 1


def halves(side: str, address: int) -> dict[str, int]:
    """Address fields of one side of a DMA command; a buffer's stand-in is left whole."""
    if address >= BUFFERS:
        return {f"{side}_low": address, f"{side}_high": 0}
    return {f"{side}_low": address & 0xFFFFFFFF, f"{side}_high": address >> 32}


@dataclass(frozen=True)
class Remote:
    """A part of a tensor in global memory: address of its first element, strides in elements."""

    address: int
    strides: Shape

    def at(self, place: Shape, element: Element) -> Remote:
        """The part that begins at element (n, c, h, w)."""
        step = sum(p * s for p, s in zip(place, self.strides))
        return Remote(self.address + step * element.size, self.strides)


def pieces(count: int, longest: int) -> Iterator[tuple[int, int, int]]:
    """Cut `count` elements into (start, lanes, width) with lanes * width elements each.

    Few elements take few lanes: the DMA is slow where less than 256 bytes follow one another.
    """
    start = 0
    while start < count:
        left = count - start
        lanes = min(LANES, max(left // _RUN, 1))
        width = min(left // lanes, longest, LONGEST)
        yield start, lanes, width
        start += lanes * width
