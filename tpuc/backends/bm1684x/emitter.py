"""What the rules write with: commands, coefficients, places in local and global memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from tpuc.backends.bm1684x.command import (
    GLOBAL,
    LANE_BYTES,
    LANES,
    LOCAL,
    S8,
    Command,
    Element,
    Local,
    Shape,
    up,
)
from tpuc.errors import UnsupportedError
from tpuc.ir import DType, Node, Value

__all__ = ["NEURONS", "Emitter", "Remote", "dense", "element_of", "pieces"]

NEURONS = 0x80_0000_0000  # stands for the start of the neurons until the weights are counted
_ELEMENTS = {
    DType.SI8: S8,
    DType.UI8: Element(0, 1, False),
    DType.F32: Element(2, 4),
    DType.SI16: Element(3, 2),
    DType.SI32: Element(4, 4),
}
_LONGEST = 65535  # sizes in commands have 16 bits


def element_of(value: Value) -> Element:
    """How a tensor lies in memory.

    Raises
    ------
    KeyError : it has a type that these instructions are not made for
    """
    return _ELEMENTS[value.dtype]


def dense(shape: Shape) -> Shape:
    """Strides of a dense (N, C, H, W) tensor, in elements."""
    _, c, h, w = shape
    return c * h * w, h * w, w, 1


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
    """Cut `count` elements into (start, lanes, width) with lanes * width elements each."""
    start = 0
    while start < count:
        left = count - start
        lanes = LANES if left >= LANES else 1
        width = min(left // lanes, longest, _LONGEST)
        yield start, lanes, width
        start += lanes * width


class Emitter:
    """Collects the commands of a network.

    Parameters
    ----------
    addresses : mapping of value name to int
        Places of tensors, from `NEURONS` on.
    """

    def __init__(self, addresses: Mapping[str, int]) -> None:
        self.addresses = addresses
        self.commands: list[Command] = []
        self.coefficients = bytearray()
        self.places: list[tuple[str, int, int]] = []  # name, offset, size
        self.note = ""
        self._top = 0

    def begin(self, node: Node) -> None:
        """Start an op: all of local memory is free again."""
        self.note, self._top = node.name, 0

    def take(self, shape: Shape, element: Element) -> Local:
        """Room for a tensor in local memory.

        Raises
        ------
        UnsupportedError : there is none
        """
        place = Local(self._top, shape, element)
        self._top += up(place.size)
        if self._top > LANE_BYTES:
            raise UnsupportedError(
                f"'{self.note}': needs {self._top} bytes of each lane; expected at most "
                f"{LANE_BYTES}. Hint: smaller input_shapes"
            )
        return place

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Room that is taken inside is free again after it."""
        top = self._top
        yield
        self._top = top

    def emit(self, kind: str, **fields: int) -> None:
        """Append a command."""
        self.commands.append(Command(kind, fields, self.note))

    def remote(self, value: Value, shape: Shape) -> Remote:
        """A whole tensor in global memory, seen as dense (N, C, H, W)."""
        return Remote(self.addresses[value.name], dense(shape))

    def constant(self, array: np.ndarray) -> int:
        """Keep bytes among the coefficients; their address."""
        raw = array.tobytes()
        offset = len(self.coefficients)
        self.places.append((self.note, offset, len(raw)))
        self.coefficients += raw + bytes(-len(raw) % 64)
        return GLOBAL + offset

    def load_block(self, block: np.ndarray) -> Local:
        """Keep (lanes, bytes) among the coefficients and load row r into lane r."""
        lanes, width = block.shape
        assert width % 64 == 0
        h, w = (1, width) if width <= _LONGEST else (width // 64, 64)
        place = self.take((1, lanes, h, w), S8)
        self.load(Remote(self.constant(block), (lanes * width, width, w, 1)), place)
        return place

    def load(self, source: Remote, target: Local) -> None:
        """Global to local memory."""
        near = Remote(LOCAL + target.address, target.strides)
        self.copy(source, near, target.shape, target.element)

    def store(self, source: Local, target: Remote) -> None:
        """Local to global memory."""
        near = Remote(LOCAL + source.address, source.strides)
        self.copy(near, target, source.shape, source.element)

    def copy(self, source: Remote, target: Remote, shape: Shape, element: Element) -> None:
        """Any memory to any memory."""
        fields = {"type": element.code, "same_shape": 1}
        for side, place in (("s", source), ("r", target)):
            fields[f"{side}_low"] = place.address & 0xFFFFFFFF
            fields[f"{side}_high"] = place.address >> 32
            for axis, stride in zip("nchw", place.strides):
                fields[f"{side}_{axis}str"] = stride
        for axis, count in zip("nchw", shape):
            fields[f"s_{axis}"] = count
        self.emit("dma", **fields)
